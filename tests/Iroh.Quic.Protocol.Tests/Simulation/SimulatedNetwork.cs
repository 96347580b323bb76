using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Simulation;

/// <summary>
/// Carries datagrams between addresses in virtual time, through NATs and, to virtual addresses, by relays. Everything random comes from one
/// seed, so a run can be repeated.
/// </summary>
public sealed class SimulatedNetwork
{
    private readonly RandomSource _random;
    private readonly PriorityQueue<SimulatedDatagram, (long ArrivesAt, long Number)> _onTheWay = new();
    private readonly Dictionary<NetworkAddress, NetworkAddress> _publicByPrivate = [];
    private readonly Dictionary<NetworkAddress, NetworkAddress> _privateByPublic = [];
    private readonly Dictionary<(NetworkAddress, NetworkAddress), Instant> _linkFreeAt = [];
    private readonly Dictionary<(NetworkAddress From, NetworkAddress To), LinkConditions> _conditions = [];
    private readonly Dictionary<NetworkAddress, SimulatedNat> _natByHost = [];
    private readonly Dictionary<NetworkAddress, SimulatedNat> _natByPublic = [];
    private readonly Dictionary<NetworkAddress, (NetworkAddress Host, NetworkAddress SeenAs)> _relayed = [];
    private long _number;

    public SimulatedNetwork(RandomSource random, LinkConditions conditions)
    {
        _random = random;
        Conditions = conditions;
    }

    public Instant Now { get; private set; } = new(1_000_000_000_000);

    /// <summary>What happens between hosts for which <see cref="SetConditions"/> has said nothing else.</summary>
    public LinkConditions Conditions { get; set; }

    /// <summary>Sees every datagram that an endpoint sends, before the link does anything to it. False: it vanishes.</summary>
    public Func<SimulatedDatagram, bool>? Intercept { get; set; }

    /// <summary>Sees every datagram that arrives.</summary>
    public Action<SimulatedDatagram>? Delivered { get; set; }

    public long DatagramsSent => _number;

    public long BytesSent { get; private set; }

    public Instant NextArrival => _onTheWay.TryPeek(out _, out var key) ? new Instant(key.ArrivesAt) : Instant.Never;

    public bool IsEmpty => _onTheWay.Count == 0;

    public void AdvanceTo(Instant time) => Now = Instant.Max(Now, time);

    /// <summary>From now on datagrams from this address appear to come from the other one, and what is sent to the old one is lost.</summary>
    public void Rebind(NetworkAddress host, NetworkAddress seenAs)
    {
        if (_publicByPrivate.Remove(host, out NetworkAddress before))
            _privateByPublic.Remove(before);
        _publicByPrivate[host] = seenAs;
        _privateByPublic[seenAs] = host;
    }

    /// <summary>What happens between two hosts, both ways, whatever their ports. A host behind a NAT is known by its public address.</summary>
    public void SetConditions(NetworkAddress one, NetworkAddress other, LinkConditions conditions)
    {
        _conditions[(WithPort(one, 0), WithPort(other, 0))] = conditions;
        _conditions[(WithPort(other, 0), WithPort(one, 0))] = conditions;
    }

    /// <summary>What happens between two hosts, or on a relayed way between two virtual addresses.</summary>
    public LinkConditions ConditionsBetween(NetworkAddress one, NetworkAddress other) =>
        _conditions.GetValueOrDefault((WithPort(one, 0), WithPort(other, 0)), Conditions);

    /// <summary>Puts a host behind a NAT. It reaches others behind the same one by their own addresses, which nobody else does.</summary>
    public void PutBehind(NetworkAddress host, SimulatedNat nat)
    {
        _natByHost[WithPort(host, 0)] = nat;
        _natByPublic[WithPort(nat.PublicAddress, 0)] = nat;
    }

    /// <summary>The NAT that a host is behind; null if there is none.</summary>
    public SimulatedNat? NatOf(NetworkAddress host) => _natByHost.GetValueOrDefault(WithPort(host, 0));

    /// <summary>Whether everybody can send to an address: no NAT filters and none hides it.</summary>
    public bool IsReachable(NetworkAddress address) =>
        address.IsVirtual || (NatOf(address) is null && !_natByPublic.ContainsKey(WithPort(address, 0)));

    /// <summary>Makes a relayed way between two hosts: each has a virtual address for the other.</summary>
    public void Relay(NetworkAddress one, NetworkAddress otherAtOne, NetworkAddress other, NetworkAddress oneAtOther)
    {
        _relayed[otherAtOne] = (other, oneAtOther);
        _relayed[oneAtOther] = (one, otherAtOne);
    }

    /// <summary>The address by which a host is seen from a destination, as that of its NAT.</summary>
    public NetworkAddress SeenFrom(NetworkAddress host, NetworkAddress destination)
    {
        if (_natByHost.TryGetValue(WithPort(host, 0), out SimulatedNat? nat) && _natByHost.GetValueOrDefault(WithPort(destination, 0)) != nat)
            return nat.Leave(host, destination, Now);
        return _publicByPrivate.GetValueOrDefault(host, host);
    }

    /// <summary>The same host, another port. A virtual address has none and stays what it is.</summary>
    public static NetworkAddress WithPort(NetworkAddress address, ushort port)
    {
        Span<byte> bytes = stackalloc byte[16];
        return address.WriteAddress(bytes) switch
        {
            4 => NetworkAddress.FromIPv4(bytes[..4], port),
            16 => NetworkAddress.FromIPv6(bytes, port),
            _ => address,
        };
    }

    /// <summary>Sends from a host's own address; for a virtual destination the source does not matter.</summary>
    public void Send(NetworkAddress source, NetworkAddress destination, EcnCodepoint ecn, ReadOnlySpan<byte> payload)
    {
        NetworkAddress seenAs, host = destination;
        if (!destination.IsVirtual)
            seenAs = SeenFrom(source, destination);
        else if (_relayed.TryGetValue(destination, out (NetworkAddress Host, NetworkAddress SeenAs) way))
            (host, seenAs, ecn) = (way.Host, way.SeenAs, EcnCodepoint.NotEct); // a relay carries no marks
        else
            return;
        LinkConditions conditions = ConditionsBetween(seenAs, destination);
        var datagram = new SimulatedDatagram(_number++, seenAs, host, conditions.BleachesEcn ? EcnCodepoint.NotEct : ecn, payload.ToArray());
        BytesSent += payload.Length;
        if (Intercept is not null && !Intercept(datagram))
            return;
        if (payload.Length > conditions.Mtu || Happens(conditions.LossRate))
            return;
        Put(datagram, conditions);
        if (Happens(conditions.DuplicationRate))
            Put(datagram with { Number = _number++ }, conditions);
    }

    /// <summary>Puts a datagram on the way as if its source had sent it, past losses and interception.</summary>
    public void Inject(NetworkAddress source, NetworkAddress destination, ReadOnlySpan<byte> payload) =>
        _onTheWay.Enqueue(
            new SimulatedDatagram(_number++, source, destination, EcnCodepoint.NotEct, payload.ToArray()),
            ((Now + Conditions.Latency).Nanoseconds, _number));

    /// <summary>Takes a datagram that has arrived by now; the destination is the host's own address behind its NAT.</summary>
    public bool TryReceive(out SimulatedDatagram datagram)
    {
        while (_onTheWay.TryPeek(out datagram!, out var key) && key.ArrivesAt <= Now.Nanoseconds)
        {
            _onTheWay.Dequeue();
            if (_privateByPublic.TryGetValue(datagram.Destination, out NetworkAddress host))
                datagram = datagram with { Destination = host };
            else if (_publicByPrivate.ContainsKey(datagram.Destination) || !TryEnter(ref datagram))
                continue;
            Delivered?.Invoke(datagram);
            return true;
        }

        datagram = null!;
        return false;
    }

    private bool TryEnter(ref SimulatedDatagram datagram)
    {
        // What a relay carries has come to the host itself.
        if (datagram.Source.IsVirtual)
            return true;
        if (_natByPublic.TryGetValue(WithPort(datagram.Destination, 0), out SimulatedNat? nat))
        {
            if (!nat.TryEnter(datagram.Destination, datagram.Source, Now, out NetworkAddress inside))
                return false;
            datagram = datagram with { Destination = inside };
            return true;
        }

        // A private address means something only behind the same NAT.
        SimulatedNat? around = _natByHost.GetValueOrDefault(WithPort(datagram.Destination, 0));
        return around is null || _natByHost.GetValueOrDefault(WithPort(datagram.Source, 0)) == around;
    }

    private void Put(SimulatedDatagram datagram, LinkConditions conditions)
    {
        Instant arrival = Now + conditions.Latency;
        if (conditions.Jitter > TimeSpan.Zero)
            arrival += new TimeSpan((long)_random.NextBelow((ulong)conditions.Jitter.Ticks));
        if (Happens(conditions.ReorderRate))
            arrival += 2 * conditions.Latency;
        if (conditions.BytesPerSecond > 0 && !TryQueue(ref datagram, ref arrival, conditions))
            return;
        if (Happens(conditions.CorruptionRate))
        {
            byte[] payload = [.. datagram.Payload];
            int bit = (int)_random.NextBelow((ulong)payload.Length * 8);
            payload[bit / 8] ^= (byte)(1 << (bit % 8));
            datagram = datagram with { Payload = payload };
        }

        _onTheWay.Enqueue(datagram, (arrival.Nanoseconds, datagram.Number));
    }

    private bool TryQueue(ref SimulatedDatagram datagram, ref Instant arrival, LinkConditions conditions)
    {
        var link = (datagram.Source, datagram.Destination);
        Instant start = Instant.Max(Now, _linkFreeAt.GetValueOrDefault(link));
        TimeSpan wait = start - Now;
        if (wait > conditions.QueueMax)
            return false;
        if (wait > conditions.MarkAfter && datagram.Ecn == EcnCodepoint.Ect0)
            datagram = datagram with { Ecn = EcnCodepoint.CongestionExperienced };
        TimeSpan duration = TimeSpan.FromSeconds(datagram.Payload.Length / conditions.BytesPerSecond);
        _linkFreeAt[link] = start + duration;
        arrival += wait + duration;
        return true;
    }

    private bool Happens(double rate) => rate > 0 && _random.NextBelow(1 << 20) < rate * (1 << 20);
}
