using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Simulation;

namespace Iroh.Quic.Protocol.Tests.Connections;

public class MigrationTests
{
    private static readonly NetworkAddress OtherPort = NetworkAddress.FromIPv4([10, 0, 0, 1], 5555);
    private static readonly NetworkAddress OtherHost = NetworkAddress.FromIPv4([10, 0, 0, 77], 5555);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_server_follows_a_client_that_its_NAT_has_moved(bool onlyThePort)
    {
        NetworkAddress moved = onlyThePort ? OtherPort : OtherHost;
        var client = new TransferApplication((StreamDirection.Bidirectional, 1_000_000));
        var server = new TransferApplication { StreamsExpected = 1 };
        var pair = new Pair { ServerApplication = server };
        pair.Connect(client);
        pair.RunUntil(() => server.BytesReceived > 300_000);
        pair.Network.Rebind(Pair.ClientAddress, moved);
        pair.RunUntil(() => client.IsComplete && server.IsComplete);
        Assert.Equal(moved, pair.ServerSide.Connection.Address.Remote);
        Assert.Contains(pair.ServerTrace.Validated, address => address.Remote == moved);
        Assert.Equal(1UL, pair.ServerSide.Connection.Statistics.Migrations);
        Assert.Equal(0UL, pair.ClientSide.Connection.Statistics.Migrations);
    }

    [Fact]
    public void Another_port_of_the_same_host_keeps_what_was_measured_and_another_host_does_not()
    {
        foreach ((NetworkAddress moved, bool keeps) in new[] { (OtherPort, true), (OtherHost, false) })
        {
            var client = new TransferApplication((StreamDirection.Bidirectional, 500_000)); // the server's window grows too
            var pair = new Pair { ServerApplication = new TransferApplication { StreamsExpected = 1 } };
            pair.Connect(client);
            pair.RunUntil(() => client.IsComplete);
            ulong window = pair.ServerSide.Connection.Statistics.CongestionWindow;
            Assert.True(window > 20_000);
            pair.Network.Rebind(Pair.ClientAddress, moved);
            pair.ClientSide.Connection.SendDatagram("here"u8);
            pair.Drain();
            pair.RunFor(TimeSpan.FromMilliseconds(12));
            Assert.Equal(moved, pair.ServerSide.Connection.Address.Remote);
            Assert.Equal(keeps, pair.ServerSide.Connection.Statistics.CongestionWindow == window);
        }
    }

    [Fact]
    public void A_server_changes_the_id_it_sends_to_when_the_client_moves()
    {
        var pair = new Pair();
        var ids = new List<string>();
        pair.Establish();
        pair.RunFor(TimeSpan.FromSeconds(1));
        pair.Server.Sending += (_, bytes) => ids.Add(Convert.ToHexString(bytes.Span.Slice(1, 8)));
        pair.ServerSide.Connection.SendDatagram("before"u8);
        pair.Drain();
        pair.RunFor(TimeSpan.FromMilliseconds(50));
        pair.Network.Rebind(Pair.ClientAddress, OtherHost);
        pair.ClientSide.Connection.SendDatagram("here"u8);
        pair.Drain();
        pair.RunFor(TimeSpan.FromMilliseconds(100));
        Assert.NotEqual(ids[0], ids[^1]);
        Assert.Equal(5, pair.ClientSide.Connection.Paths.First.LocalIds.Count); // the retired one was replaced
    }

    [Fact]
    public void A_client_that_is_not_at_its_new_address_is_sought_at_the_old_one()
    {
        Pair pair = new Pair().Establish();
        pair.RunFor(TimeSpan.FromSeconds(1));

        // Somebody between the two sends a packet of the client's from elsewhere, and gets no more.
        bool isStolen = false;
        pair.Network.Intercept = datagram =>
        {
            if (datagram.Source != Pair.ClientAddress || isStolen)
                return datagram.Destination != OtherHost;
            isStolen = true;
            pair.Network.Inject(OtherHost, Pair.ServerAddress, datagram.Payload);
            return false;
        };
        pair.ClientSide.Connection.SendDatagram("moved?"u8);
        pair.Drain();
        pair.RunFor(TimeSpan.FromMilliseconds(12));
        Assert.Equal(OtherHost, pair.ServerSide.Connection.Address.Remote);
        pair.RunFor(TimeSpan.FromMilliseconds(20)); // it answers the challenge on the old path
        Assert.Equal(Pair.ClientAddress, pair.ServerSide.Connection.Address.Remote);
        pair.ServerSide.Connection.SendDatagram("still here"u8);
        pair.Drain();
        pair.RunFor(TimeSpan.FromMilliseconds(50));
        Assert.True(pair.ClientSide.Has(ConnectionEventKind.DatagramReceived));
    }

    [Fact]
    public void Validation_that_fails_brings_the_old_address_back()
    {
        Pair pair = new Pair().Establish();
        pair.RunFor(TimeSpan.FromSeconds(1));
        bool isStolen = false;
        pair.Network.Intercept = datagram =>
        {
            if (datagram.Source == Pair.ClientAddress && !isStolen)
                pair.Network.Inject(OtherHost, Pair.ServerAddress, datagram.Payload);
            isStolen = true;
            return false; // from now on nothing gets through
        };
        pair.ClientSide.Connection.SendDatagram("moved?"u8);
        pair.Drain();
        pair.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal(OtherHost, pair.ServerSide.Connection.Address.Remote);
        pair.RunFor(TimeSpan.FromSeconds(3)); // three probe timeouts of a path of which nothing is known
        Assert.Equal(Pair.ClientAddress, pair.ServerSide.Connection.Address.Remote);
    }

    [Fact]
    public void Probes_from_elsewhere_are_answered_there_and_move_nothing()
    {
        Pair pair = new Pair().Establish();
        pair.RunFor(TimeSpan.FromSeconds(1));
        int answered = 0;
        pair.Network.Intercept = datagram =>
        {
            answered += datagram.Destination == OtherHost ? 1 : 0;
            if (datagram.Source != Pair.ClientAddress)
                return true;
            pair.Network.Inject(OtherHost, Pair.ServerAddress, datagram.Payload);
            return false;
        };
        pair.ClientSide.Connection.Paths.First.Current.Validator.Begin(); // a packet with nothing but PATH_CHALLENGE
        pair.Drain();
        pair.RunFor(TimeSpan.FromMilliseconds(30));
        Assert.Equal(1, answered);
        Assert.Equal(Pair.ClientAddress, pair.ServerSide.Connection.Address.Remote);
        Assert.Equal(0UL, pair.ServerSide.Connection.Statistics.Migrations);
    }
}
