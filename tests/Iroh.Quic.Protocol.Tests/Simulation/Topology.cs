using Iroh.Cryptography;
using Iroh.Quic.Protocol.NatTraversal;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Simulation;

/// <summary>
/// Where the two ends of a <see cref="Pair"/> live, chosen by a seed: how many addresses each has, what is between them and the network, and
/// whether a relay carries between them. One way always works unless it is told not to: the <see cref="Anchor"/>.
/// </summary>
public sealed class Topology
{
    private static readonly NetworkAddress s_clientV6 = NetworkAddress.FromIPv6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 1113);
    private static readonly NetworkAddress s_serverV6 = NetworkAddress.FromIPv6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], 2223);

    private readonly Pair _pair;
    private readonly RandomSource _random;
    private readonly List<SimulatedNat> _nats = [];
    private byte _hosts = 10;

    public Topology(Pair pair, RandomSource random)
    {
        (_pair, _random) = (pair, random);
        if (random.NextBelow(2) == 0)
            pair.Client.Addresses.Add(NetworkAddress.FromIPv4([10, 0, 1, 1], 1112));
        if (random.NextBelow(2) == 0)
            pair.Client.Addresses.Add(s_clientV6);
        if (random.NextBelow(3) == 0)
            pair.Server.Addresses.Add(NetworkAddress.FromIPv4([10, 0, 1, 2], 2224));
        if (random.NextBelow(2) == 0)
            pair.Server.Addresses.Add(s_serverV6);
        HasRelay = random.NextBelow(2) == 0;
        if (HasRelay)
            pair.Network.Relay(Pair.ClientAddress, ServerByRelay, Pair.ServerAddress, ClientByRelay);
        foreach (NetworkAddress address in pair.Client.Addresses)
            MaybePutBehindNat(address);

        // Without a relay a client needs an address of the server to begin with.
        foreach (NetworkAddress address in pair.Server.Addresses)
        {
            if (HasRelay || address != Pair.ServerAddress)
                MaybePutBehindNat(address);
        }
    }

    /// <summary>What the client calls the server by the relay.</summary>
    public static NetworkAddress ServerByRelay { get; } = NetworkAddress.Virtual(1);

    /// <summary>What the server calls the client by the relay.</summary>
    public static NetworkAddress ClientByRelay { get; } = NetworkAddress.Virtual(2);

    public bool HasRelay { get; }

    /// <summary>Where the client dials, and whence it can always open a path.</summary>
    public NetworkAddress Anchor => HasRelay ? ServerByRelay : Pair.ServerAddress;

    public IReadOnlyList<SimulatedNat> Nats => _nats;

    /// <summary>Every address of the server that a client may come to know, useful or not.</summary>
    public IReadOnlyList<NetworkAddress> ServerAddresses() =>
        [.. _pair.Server.Addresses.Concat(_pair.Server.Addresses.Select(PublicAddressOf)).Append(Anchor).Distinct()];

    /// <summary>What an end would tell as its candidates: its own addresses and those by which it is seen.</summary>
    public NetworkAddress[] CandidatesOf(SimulatedEndpoint endpoint)
    {
        NetworkAddress stranger = NetworkAddress.FromIPv4([192, 0, 2, 1], 9999);
        List<NetworkAddress> own = endpoint.Addresses.FindAll(address => address.Port < 20_000);
        return [.. own.Concat(own.Select(address => _pair.Network.SeenFrom(address, stranger))).Distinct()];
    }

    /// <summary>What a net report would say of an end's first IPv4 address; null without a NAT.</summary>
    public NatMapping? MappingOf(SimulatedEndpoint endpoint)
    {
        NetworkAddress address = endpoint.Addresses.Find(one => one.IsIPv4);
        NetworkAddress stranger = NetworkAddress.FromIPv4([192, 0, 2, 1], 9999);
        return _pair.Network.NatOf(address) is { } nat
            ? new NatMapping(_pair.Network.SeenFrom(address, stranger), nat.Kind == NatKind.RandomPort)
            : null;
    }

    /// <summary>The hosts between which conditions can be set: what one end's datagrams come from or go to, and the other's.</summary>
    public (NetworkAddress Client, NetworkAddress Server) RandomPairOfHosts()
    {
        if (HasRelay && _random.NextBelow(4) == 0)
            return (ClientByRelay, ServerByRelay);
        NetworkAddress client = Pick(_pair.Client.Addresses);
        NetworkAddress server = Pick(_pair.Server.Addresses);
        return (PublicAddressOf(client), PublicAddressOf(server));
    }

    /// <summary>The client's host gets another address in the place of one, as when it changes networks; the system chooses a port anew.</summary>
    public void ReplaceClientAddress()
    {
        List<NetworkAddress> addresses = _pair.Client.Addresses;
        int index = (int)_random.NextBelow((ulong)addresses.Count);
        addresses[index] = NetworkAddress.FromIPv4([10, 0, 2, ++_hosts], (ushort)(3000 + _hosts));
        MaybePutBehindNat(addresses[index]);
    }

    private NetworkAddress Pick(List<NetworkAddress> addresses) => addresses[(int)_random.NextBelow((ulong)addresses.Count)];

    private NetworkAddress PublicAddressOf(NetworkAddress address) =>
        _pair.Network.NatOf(address) is { } nat ? SimulatedNetwork.WithPort(nat.PublicAddress, address.Port) : address;

    private void MaybePutBehindNat(NetworkAddress address)
    {
        if (!address.IsIPv4 || _random.NextBelow(5) < 3)
            return;
        var nat = new SimulatedNat((NatKind)_random.NextBelow(3), NetworkAddress.FromIPv4([203, 0, 113, (byte)(_nats.Count + 1)], 0), _random);
        _nats.Add(nat);
        _pair.Network.PutBehind(address, nat);
    }
}
