using System.Diagnostics.CodeAnalysis;
using Iroh.Base;
using Iroh.Dns.Pkarr;

namespace Iroh.Dns.Zones;

/// <summary>
/// The newest packet of each endpoint, bounded in number and age. Times are those of arrival here: a signer's clock says nothing
/// about how long its packet is worth keeping. One owner; not thread-safe.
/// </summary>
public sealed class PacketStore
{
    private readonly int _packetsMax;
    private readonly TimeSpan _retention;
    // By the id's text in names: looking that up is much quicker than checking that it is a key.
    private readonly Dictionary<string, LinkedListNode<Entry>> _entries = [];

    // In the order of arrival: the first is the next to go.
    private readonly LinkedList<Entry> _byArrival = new();

    /// <summary>Starts empty.</summary>
    /// <param name="packetsMax">The most packets; at least 1.</param>
    /// <param name="retention">How long a packet stays.</param>
    public PacketStore(int packetsMax, TimeSpan retention)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(packetsMax, 1);
        _packetsMax = packetsMax;
        _retention = retention;
    }

    /// <summary>The number of packets.</summary>
    public int Count => _entries.Count;

    /// <summary>Keeps a packet unless it is older than the one that is kept of its endpoint.</summary>
    /// <param name="now">When it arrived; never before the arrival of the last one.</param>
    /// <param name="packet">The packet.</param>
    /// <returns>Whether it is kept.</returns>
    public bool Put(DateTimeOffset now, PkarrPacket packet)
    {
        ArgumentNullException.ThrowIfNull(packet);
        string name = packet.Id.ToZBase32();
        if (_entries.TryGetValue(name, out LinkedListNode<Entry>? known))
        {
            if (!packet.IsNewerThan(known.Value.Packet))
                return false;
            Remove(known);
        }

        Evict(now);
        if (_entries.Count >= _packetsMax)
            Remove(_byArrival.First!);
        _entries.Add(name, _byArrival.AddLast(new Entry(packet, now)));
        return true;
    }

    /// <summary>The packet of an endpoint, if there is one that is not too old.</summary>
    public bool TryGet(DateTimeOffset now, EndpointId id, [NotNullWhen(true)] out PkarrPacket? packet) => TryGet(now, id.ToZBase32(), out packet);

    /// <summary>The packet of the endpoint whose id in lower-case z-base-32 is <paramref name="name"/>, if there is one that is not too old.</summary>
    /// <param name="now">The time.</param>
    /// <param name="name">Any text; most are nobody's.</param>
    /// <param name="packet">The packet.</param>
    public bool TryGet(DateTimeOffset now, string name, [NotNullWhen(true)] out PkarrPacket? packet)
    {
        packet = _entries.TryGetValue(name, out LinkedListNode<Entry>? known) && now - known.Value.ArrivedAt < _retention
            ? known.Value.Packet
            : null;
        return packet is not null;
    }

    /// <summary>Drops what is too old.</summary>
    public void Evict(DateTimeOffset now)
    {
        while (_byArrival.First is { } first && now - first.Value.ArrivedAt >= _retention)
            Remove(first);
    }

    private void Remove(LinkedListNode<Entry> node)
    {
        _entries.Remove(node.Value.Packet.Id.ToZBase32());
        _byArrival.Remove(node);
    }

    private readonly record struct Entry(PkarrPacket Packet, DateTimeOffset ArrivedAt);
}
