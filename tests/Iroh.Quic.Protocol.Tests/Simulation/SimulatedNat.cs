using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Simulation;

/// <summary>Which ports a NAT gives and whom it lets in, in the words of RFC 4787.</summary>
public enum NatKind
{
    /// <summary>One port for all destinations; everybody may use it ("full cone").</summary>
    EndpointIndependent,

    /// <summary>One port for all destinations; only those that were sent to may use it.</summary>
    PortRestricted,

    /// <summary>A random port for each destination, which alone may use it ("symmetric").</summary>
    RandomPort,
}

/// <summary>A box that gives the hosts behind it one public address. A mapping that carries nothing for a while is forgotten.</summary>
public sealed class SimulatedNat
{
    /// <summary>Below the shortest lifetimes of home routers there would be no keeping a mapping (RFC 4787 REQ-5 asks for two minutes).</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(30);

    private readonly RandomSource _random;
    private readonly Dictionary<ushort, Mapping> _mappings = [];

    /// <param name="kind">How it maps and filters.</param>
    /// <param name="publicAddress">Its public address; the port does not matter.</param>
    /// <param name="random">Chooses ports.</param>
    public SimulatedNat(NatKind kind, NetworkAddress publicAddress, RandomSource random) =>
        (Kind, PublicAddress, _random) = (kind, publicAddress, random);

    public NatKind Kind { get; }

    public NetworkAddress PublicAddress { get; }

    /// <summary>The address by which a datagram from inside is seen outside.</summary>
    public NetworkAddress Leave(NetworkAddress inside, NetworkAddress destination, Instant now)
    {
        foreach ((ushort port, Mapping mapping) in _mappings)
        {
            if (mapping.Inside != inside || mapping.IsForgotten(now) || (Kind == NatKind.RandomPort && !mapping.Peers.Contains(destination)))
                continue;
            mapping.Peers.Add(destination);
            mapping.UsedAt = now;
            return SimulatedNetwork.WithPort(PublicAddress, port);
        }

        ushort free = Kind != NatKind.RandomPort && !_mappings.ContainsKey(inside.Port) ? inside.Port : RandomPort(now);
        _mappings[free] = new Mapping(inside) { Peers = { destination }, UsedAt = now };
        return SimulatedNetwork.WithPort(PublicAddress, free);
    }

    /// <summary>Whom inside a datagram to the public address reaches; false: nobody.</summary>
    public bool TryEnter(NetworkAddress destination, NetworkAddress source, Instant now, out NetworkAddress inside)
    {
        inside = default;
        if (!_mappings.TryGetValue(destination.Port, out Mapping? mapping) || mapping.IsForgotten(now))
            return false;
        if (Kind != NatKind.EndpointIndependent && !mapping.Peers.Contains(source))
            return false;
        inside = mapping.Inside;
        return true;
    }

    /// <summary>Forgets all mappings, as when it restarts: hosts get other ports than before.</summary>
    public void Forget()
    {
        foreach (Mapping mapping in _mappings.Values)
            mapping.UsedAt = new Instant(0);
    }

    // A port that belonged to a forgotten mapping is not given again soon: it stays in the table as long as there are others.
    private ushort RandomPort(Instant now)
    {
        while (true)
        {
            ushort port = (ushort)(1024 + _random.NextBelow(64512));
            if (!_mappings.TryGetValue(port, out Mapping? mapping) || mapping.IsForgotten(now))
                return port;
        }
    }

    private sealed class Mapping(NetworkAddress inside)
    {
        public NetworkAddress Inside { get; } = inside;

        public HashSet<NetworkAddress> Peers { get; } = [];

        public Instant UsedAt { get; set; }

        public bool IsForgotten(Instant now) => now - UsedAt > Lifetime;
    }
}
