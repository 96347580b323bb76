using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Simulation;

namespace Iroh.Quic.Protocol.Tests.Connections;

public class KeyUpdateTests
{
    [Theory]
    [InlineData(10, ulong.MaxValue, 0)]
    [InlineData(ulong.MaxValue, 10, 0)]
    [InlineData(10, 10, 0)]
    [InlineData(1, 1, 0.1)]
    [InlineData(100, 10, 0.1)]
    public void Keys_may_change_at_any_pace_over_a_lossy_network(ulong client, ulong server, double lossRate)
    {
        var clientApplication = new TransferApplication((StreamDirection.Bidirectional, 500_000));
        var serverApplication = new TransferApplication { StreamsExpected = 1 };
        var conditions = new LinkConditions
        {
            LossRate = lossRate, ReorderRate = lossRate, Latency = TimeSpan.FromMilliseconds(2), BytesPerSecond = 500_000,
        };
        var pair = new Pair(conditions: conditions) { ServerApplication = serverApplication };
        pair.ClientConfiguration = pair.ClientConfiguration with { PacketsPerKeyMax = client };
        pair.ServerConfiguration = pair.ServerConfiguration with { PacketsPerKeyMax = server };
        pair.Connect(clientApplication);
        pair.RunUntil(() => clientApplication.IsComplete && serverApplication.IsComplete);
        Assert.True(pair.ClientTrace.KeyUpdates > 2, $"{pair.ClientTrace.KeyUpdates} updates");
        Assert.InRange((long)pair.ClientTrace.KeyUpdates - (long)pair.ServerTrace.KeyUpdates, -1, 1);
    }

    [Fact]
    public void The_application_can_ask_for_an_update()
    {
        Pair pair = new Pair().Establish();
        pair.ClientSide.Connection.UpdateKeys();
        pair.ClientSide.Connection.SendDatagram("new keys"u8);
        pair.Drain();
        pair.RunFor(TimeSpan.FromMilliseconds(100));
        Assert.Equal(1UL, pair.ClientSide.Connection.Statistics.KeyUpdates);
        Assert.Equal(1UL, pair.ServerSide.Connection.Statistics.KeyUpdates);
        Assert.Null(pair.ServerSide.Connection.CloseReason);
        Assert.True(pair.ServerSide.Has(ConnectionEventKind.DatagramReceived));
    }
}
