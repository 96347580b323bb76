using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Simulation;

namespace Iroh.Quic.Protocol.Tests.Connections;

public class AddressDiscoveryTests
{
    private static readonly NetworkAddress Public = NetworkAddress.FromIPv4([203, 0, 113, 9], 40_000);
    private static readonly NetworkAddress Moved = NetworkAddress.FromIPv4([203, 0, 113, 9], 40_001);

    [Fact]
    public void A_client_behind_a_NAT_learns_its_public_address_in_the_first_round_trips()
    {
        Pair pair = Create(AddressReports.Receive, AddressReports.Provide);
        pair.Network.Rebind(Pair.ClientAddress, Public);
        pair.Connect();
        Instant start = pair.Network.Now;
        pair.RunUntil(() => pair.ClientSide.Has(ConnectionEventKind.ObservedAddress));
        Assert.Equal([Public], Observed(pair.ClientSide));
        Assert.True(pair.Network.Now - start <= 4 * pair.Network.Conditions.Latency);
        pair.RunFor(TimeSpan.FromSeconds(5));
        Assert.Equal([Public], Observed(pair.ClientSide));
        Assert.Empty(Observed(pair.ServerSide));
    }

    [Fact]
    public void A_client_that_its_NAT_has_moved_is_told_so()
    {
        Pair pair = Create(AddressReports.Receive, AddressReports.Provide);
        pair.Network.Rebind(Pair.ClientAddress, Public);
        pair.Establish();
        pair.RunFor(TimeSpan.FromSeconds(1));
        pair.Network.Rebind(Pair.ClientAddress, Moved);
        pair.ClientSide.Connection.SendDatagram("here"u8);
        pair.Drain();
        pair.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal([Public, Moved], Observed(pair.ClientSide));
    }

    [Fact]
    public void A_lost_report_is_repeated()
    {
        for (ulong seed = 0; seed < 50; seed++)
        {
            Pair pair = Create(AddressReports.Both, AddressReports.Both, seed, new LinkConditions { LossRate = 0.4 });
            pair.Connect();
            pair.RunUntil(() => pair.ClientSide.Connection.CloseReason is not null
                || (Observed(pair.ClientSide).Count > 0 && pair.Server.Connections.Exists(c => Observed(c).Count > 0)));
            if (pair.ClientSide.Connection.CloseReason is not null)
                continue; // the idle timeout of a handshake that had no luck
            Assert.Equal([Pair.ClientAddress], Observed(pair.ClientSide));
            Assert.Equal([Pair.ServerAddress], Observed(pair.ServerSide));
        }
    }

    [Fact]
    public void Without_agreement_no_report_is_sent()
    {
        Pair pair = Create(AddressReports.None, AddressReports.Both).Establish();
        pair.RunFor(TimeSpan.FromSeconds(1));
        Assert.Empty(Observed(pair.ClientSide));
        Assert.Null(pair.ClientSide.Connection.CloseReason);
        Assert.Null(pair.ServerSide.Connection.CloseReason);
    }

    private static Pair Create(AddressReports client, AddressReports server, ulong seed = 1, LinkConditions? conditions = null)
    {
        var pair = new Pair(seed, conditions);
        pair.ClientConfiguration = pair.ClientConfiguration with { AddressReports = client };
        pair.ServerConfiguration = pair.ServerConfiguration with { AddressReports = server };
        return pair;
    }

    private static List<NetworkAddress> Observed(SimulatedConnection connection) =>
        [.. connection.Events.Where(e => e.Kind == ConnectionEventKind.ObservedAddress).Select(e => e.Address)];
}
