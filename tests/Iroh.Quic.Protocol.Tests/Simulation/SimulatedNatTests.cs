using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Simulation;

public class SimulatedNatTests
{
    private static readonly NetworkAddress s_host = NetworkAddress.FromIPv4([192, 168, 0, 5], 4000);
    private static readonly NetworkAddress s_public = NetworkAddress.FromIPv4([203, 0, 113, 7], 0);
    private static readonly NetworkAddress s_peer = NetworkAddress.FromIPv4([198, 51, 100, 1], 1111);
    private static readonly NetworkAddress s_other = NetworkAddress.FromIPv4([198, 51, 100, 2], 2222);

    private readonly SimulatedNetwork _network = new(new SeededRandomSource(1), new LinkConditions());

    [Theory]
    [InlineData(NatKind.EndpointIndependent, true, true)]
    [InlineData(NatKind.PortRestricted, true, false)]
    [InlineData(NatKind.RandomPort, false, false)]
    public void A_nat_maps_and_filters_as_its_kind_says(NatKind kind, bool isOneMapping, bool letsStrangersIn)
    {
        var nat = new SimulatedNat(kind, s_public, new SeededRandomSource(2));
        _network.PutBehind(s_host, nat);

        NetworkAddress seen = Send(s_host, s_peer, s_peer)!.Source;
        bool stranger = Send(s_other, seen, s_host) is not null;
        bool answered = Send(s_peer, seen, s_host) is not null;
        NetworkAddress seenByOther = Send(s_host, s_other, s_other)!.Source;

        Assert.True(seen.HasSameAddress(s_public));
        Assert.Equal(isOneMapping, seen == seenByOther);
        Assert.Equal(letsStrangersIn, stranger);
        Assert.True(answered);
    }

    [Fact]
    public void A_forgotten_mapping_leads_nowhere_and_the_next_one_is_another()
    {
        var nat = new SimulatedNat(NatKind.EndpointIndependent, s_public, new SeededRandomSource(2));
        _network.PutBehind(s_host, nat);

        NetworkAddress seen = Send(s_host, s_peer, s_peer)!.Source;
        nat.Forget();

        Assert.Null(Send(s_peer, seen, s_host));
        Assert.NotEqual(seen, Send(s_host, s_peer, s_peer)!.Source);
    }

    [Fact]
    public void A_private_address_is_reached_from_behind_the_same_nat_only()
    {
        var nat = new SimulatedNat(NatKind.EndpointIndependent, s_public, new SeededRandomSource(2));
        NetworkAddress neighbour = NetworkAddress.FromIPv4([192, 168, 0, 6], 5000);
        _network.PutBehind(s_host, nat);
        _network.PutBehind(neighbour, nat);

        Assert.Equal(neighbour, Send(neighbour, s_host, s_host)!.Source);
        Assert.Null(Send(s_peer, s_host, s_host));
    }

    [Fact]
    public void A_relay_carries_between_virtual_addresses_without_marks()
    {
        _network.Relay(s_host, NetworkAddress.Virtual(1), s_peer, NetworkAddress.Virtual(2));

        SimulatedDatagram there = Send(s_host, NetworkAddress.Virtual(1), s_peer)!, back = Send(s_peer, NetworkAddress.Virtual(2), s_host)!;

        Assert.Equal((NetworkAddress.Virtual(2), EcnCodepoint.NotEct), (there.Source, there.Ecn));
        Assert.Equal(NetworkAddress.Virtual(1), back.Source);
        Assert.Null(Send(s_host, NetworkAddress.Virtual(9), s_peer));
    }

    [Fact]
    public void Each_pair_of_hosts_has_conditions_of_its_own()
    {
        _network.SetConditions(s_host, s_peer, new LinkConditions { LossRate = 1 });

        Assert.Null(Send(s_host, s_peer, s_peer));
        Assert.Null(Send(s_peer, s_host, s_host));
        Assert.NotNull(Send(s_host, s_other, s_other));
    }

    private SimulatedDatagram? Send(NetworkAddress from, NetworkAddress to, NetworkAddress arrivesAt)
    {
        _network.Send(from, to, EcnCodepoint.Ect0, [1, 2, 3]);
        _network.AdvanceTo(_network.Now + TimeSpan.FromSeconds(1));
        return _network.TryReceive(out SimulatedDatagram datagram) && datagram.Destination == arrivesAt ? datagram : null;
    }
}
