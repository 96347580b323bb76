using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Simulation;

namespace Iroh.Quic.Protocol.Tests.Connections;

public class HandshakeTests
{
    [Fact]
    public void Both_ends_connect_and_know_each_other()
    {
        Pair pair = new Pair().Establish();
        foreach (SimulatedConnection side in new[] { pair.ClientSide, pair.ServerSide })
        {
            Assert.Equal(ConnectionPhase.Established, side.Connection.Phase);
            Assert.Equal(Pair.Protocol, side.Connection.ApplicationProtocol);
            Assert.Single(side.Events, e => e.Kind == ConnectionEventKind.Connected);
            Assert.Single(side.Events, e => e.Kind == ConnectionEventKind.HandshakeConfirmed);
        }

        Assert.Equal(pair.ServerPublicKey, pair.ClientSide.Connection.PeerPublicKey);
        Assert.Equal(pair.ClientPublicKey, pair.ServerSide.Connection.PeerPublicKey);
    }

    [Fact]
    public void A_stream_carries_data_both_ways()
    {
        var client = new TransferApplication((StreamDirection.Bidirectional, 100_000));
        var server = new TransferApplication { StreamsExpected = 1 };
        var pair = new Pair { ServerApplication = server };
        pair.Connect(client);
        pair.RunUntil(() => client.IsComplete && server.IsComplete);
        Assert.Equal(100_000, client.BytesReceived);
        Assert.Equal(100_000, server.BytesReceived);
    }
}
