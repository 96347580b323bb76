using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Simulation;

namespace Iroh.Quic.Protocol.Tests.Connections;

public class MtuTests
{
    [Theory]
    [InlineData(1200, 1200)]
    [InlineData(1300, 1300)]
    [InlineData(1452, 1452)]
    [InlineData(9000, 1452)]
    public void Discovery_finds_what_the_link_carries(int link, int expected)
    {
        var pair = new Pair(conditions: new LinkConditions { Mtu = link });
        pair.Establish();
        pair.RunFor(TimeSpan.FromSeconds(20));
        foreach (SimulatedConnection side in new[] { pair.ClientSide, pair.ServerSide })
        {
            Assert.InRange(side.Connection.Statistics.Mtu, expected - 20, expected);
            Assert.Equal(0UL, side.Connection.Statistics.CongestionEvents);
        }
    }

    [Fact]
    public void Nothing_larger_than_the_peer_takes_is_sent()
    {
        var pair = new Pair();
        pair.ServerConfiguration = pair.ServerConfiguration with { MaxUdpPayloadSize = 1333 };
        int largest = 0;
        pair.Client.Sending += (_, bytes) => largest = Math.Max(largest, bytes.Length);
        pair.Establish();
        pair.RunFor(TimeSpan.FromSeconds(20));
        Assert.Equal(1333, largest);
        Assert.Equal(1333, pair.ClientSide.Connection.Statistics.Mtu);
    }

    [Fact]
    public void A_link_that_shrinks_under_a_transfer_is_noticed()
    {
        var client = new TransferApplication((StreamDirection.Unidirectional, 4_000_000));
        var server = new TransferApplication { StreamsExpected = 1 };
        var conditions = new LinkConditions { BytesPerSecond = 1_000_000 };
        var pair = new Pair(conditions: conditions) { ServerApplication = server };
        pair.Connect(client);
        pair.RunUntil(() => server.BytesReceived > 1_000_000);
        Assert.Equal(1452, pair.ClientSide.Connection.Statistics.Mtu);
        pair.Network.Conditions = conditions with { Mtu = 1250 };
        pair.RunUntil(() => client.IsComplete && server.IsComplete);
        Assert.Equal(1200, pair.ClientSide.Connection.Statistics.Mtu);
    }
}
