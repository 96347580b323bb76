using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Simulation;

/// <summary>
/// Carries datagrams between addresses in virtual time. Everything random comes from one seed, so a run can be repeated.
/// </summary>
public sealed class SimulatedNetwork
{
    private readonly RandomSource _random;
    private readonly PriorityQueue<SimulatedDatagram, (long ArrivesAt, long Number)> _onTheWay = new();
    private readonly Dictionary<NetworkAddress, NetworkAddress> _publicByPrivate = [];
    private readonly Dictionary<NetworkAddress, NetworkAddress> _privateByPublic = [];
    private readonly Dictionary<(NetworkAddress, NetworkAddress), Instant> _linkFreeAt = [];
    private long _number;

    public SimulatedNetwork(RandomSource random, LinkConditions conditions)
    {
        _random = random;
        Conditions = conditions;
    }

    public Instant Now { get; private set; } = new(1_000_000_000_000);

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

    public void Send(NetworkAddress source, NetworkAddress destination, EcnCodepoint ecn, ReadOnlySpan<byte> payload)
    {
        NetworkAddress seenAs = _publicByPrivate.GetValueOrDefault(source, source);
        var datagram = new SimulatedDatagram(_number++, seenAs, destination, Conditions.BleachesEcn ? EcnCodepoint.NotEct : ecn, payload.ToArray());
        BytesSent += payload.Length;
        if (Intercept is not null && !Intercept(datagram))
            return;
        if (payload.Length > Conditions.Mtu || Happens(Conditions.LossRate))
            return;
        Put(datagram);
        if (Happens(Conditions.DuplicationRate))
            Put(datagram with { Number = _number++ });
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
            else if (_publicByPrivate.ContainsKey(datagram.Destination))
                continue;
            Delivered?.Invoke(datagram);
            return true;
        }

        datagram = null!;
        return false;
    }

    private void Put(SimulatedDatagram datagram)
    {
        Instant arrival = Now + Conditions.Latency;
        if (Conditions.Jitter > TimeSpan.Zero)
            arrival += new TimeSpan((long)_random.NextBelow((ulong)Conditions.Jitter.Ticks));
        if (Happens(Conditions.ReorderRate))
            arrival += 2 * Conditions.Latency;
        if (Conditions.BytesPerSecond > 0 && !TryQueue(ref datagram, ref arrival))
            return;
        if (Happens(Conditions.CorruptionRate))
        {
            byte[] payload = [.. datagram.Payload];
            int bit = (int)_random.NextBelow((ulong)payload.Length * 8);
            payload[bit / 8] ^= (byte)(1 << (bit % 8));
            datagram = datagram with { Payload = payload };
        }

        _onTheWay.Enqueue(datagram, (arrival.Nanoseconds, datagram.Number));
    }

    private bool TryQueue(ref SimulatedDatagram datagram, ref Instant arrival)
    {
        var link = (datagram.Source, datagram.Destination);
        Instant start = Instant.Max(Now, _linkFreeAt.GetValueOrDefault(link));
        TimeSpan wait = start - Now;
        if (wait > Conditions.QueueMax)
            return false;
        if (wait > Conditions.MarkAfter && datagram.Ecn == EcnCodepoint.Ect0)
            datagram = datagram with { Ecn = EcnCodepoint.CongestionExperienced };
        TimeSpan duration = TimeSpan.FromSeconds(datagram.Payload.Length / Conditions.BytesPerSecond);
        _linkFreeAt[link] = start + duration;
        arrival += wait + duration;
        return true;
    }

    private bool Happens(double rate) => rate > 0 && _random.NextBelow(1 << 20) < rate * (1 << 20);
}
