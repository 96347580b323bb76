using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Simulation;

namespace Iroh.Quic.Protocol.Tests.Connections;

/// <summary>Every simulated server is checked at every datagram; here are the cases in which the limit bites.</summary>
public class AmplificationTests
{
    [Fact]
    public void A_forged_source_gets_three_times_what_was_sent_in_its_name_and_no_more()
    {
        var pair = new Pair();
        long toVictim = 0;
        pair.Network.Intercept = datagram =>
        {
            toVictim += datagram.Source == Pair.ServerAddress ? datagram.Payload.Length : 0;
            return datagram.Number == 0;
        };
        pair.Connect();
        pair.RunFor(TimeSpan.FromMilliseconds(11));
        pair.Client.Connections.Clear(); // there is no such client
        pair.RunUntilQuiet();
        Assert.InRange(toVictim, 1200, 3600);
        Assert.Equal(CloseCause.IdleTimeout, pair.ServerSide.Connection.CloseReason!.Cause);
        Assert.InRange(pair.Steps, 1, 100);
    }

    [Fact]
    public void A_server_that_ran_out_of_budget_goes_on_when_the_client_probes()
    {
        var pair = new Pair();

        // The server's answers are lost until it may not send any more.
        pair.Network.Intercept = datagram => datagram.Source != Pair.ServerAddress || pair.Network.DatagramsSent > 6;
        pair.Establish();
    }

    [Fact]
    public void A_client_that_moves_while_it_only_reads_is_validated_by_its_acknowledgements()
    {
        var client = new TransferApplication((StreamDirection.Bidirectional, 1)) { StreamsExpected = 1 };
        var server = new TransferApplication((StreamDirection.Unidirectional, 2_000_000)) { StreamsExpected = 1 };
        var pair = new Pair(conditions: new LinkConditions { BytesPerSecond = 2_000_000 }) { ServerApplication = server };
        pair.Connect(client);
        pair.RunUntil(() => client.BytesReceived > 500_000);
        NetworkAddress moved = NetworkAddress.FromIPv4([10, 0, 0, 66], 66);
        pair.Network.Rebind(Pair.ClientAddress, moved);
        pair.ClientSide.Connection.SendDatagram(default); // the last packets from the server are lost: a sign of life
        pair.Drain();
        pair.RunUntil(() => client.IsComplete && server.IsComplete);
        Assert.Contains(pair.ServerTrace.Validated, address => address.Remote == moved);
    }
}
