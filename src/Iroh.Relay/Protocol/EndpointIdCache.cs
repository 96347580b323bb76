using System.Buffers.Binary;
using Iroh.Base;

namespace Iroh.Relay.Protocol;

/// <summary>Compares endpoint ids, and finds them by their 32 bytes in collections that were made with it.</summary>
public sealed class EndpointIdComparer : IEqualityComparer<EndpointId>, IAlternateEqualityComparer<ReadOnlySpan<byte>, EndpointId>
{
    private EndpointIdComparer()
    {
    }

    /// <summary>The only one.</summary>
    public static EndpointIdComparer Instance { get; } = new();

    /// <inheritdoc/>
    public bool Equals(EndpointId x, EndpointId y) => x == y;

    /// <inheritdoc/>
    public bool Equals(ReadOnlySpan<byte> alternate, EndpointId other) => other.Span.SequenceEqual(alternate);

    /// <inheritdoc/>
    public int GetHashCode(EndpointId obj) => GetHashCode(obj.Span);

    /// <inheritdoc/>
    public int GetHashCode(ReadOnlySpan<byte> alternate) => alternate.Length < 16
        ? 0
        // Whoever makes ids can make their first bytes alike, at a price; this hash differs from process to process.
        : HashCode.Combine(BinaryPrimitives.ReadUInt64LittleEndian(alternate), BinaryPrimitives.ReadUInt64LittleEndian(alternate[8..]));

    /// <inheritdoc/>
    public EndpointId Create(ReadOnlySpan<byte> alternate) => EndpointId.FromBytes(alternate);
}

/// <summary>
/// The endpoint ids that a connection has met: whether 32 bytes are a point of the curve is computed once an id, not once a datagram.
/// Has one owner; not thread-safe.
/// </summary>
public sealed class EndpointIdCache
{
    /// <summary>
    /// How many ids are remembered, 32 bytes each: more peers than one connection talks to at a time. When it is full it starts again.
    /// </summary>
    public const int Capacity = 4096;

    private readonly HashSet<EndpointId> _known = new(EndpointIdComparer.Instance);
    private readonly HashSet<EndpointId>.AlternateLookup<ReadOnlySpan<byte>> _lookup;
    private EndpointId _last;

    /// <summary>An empty cache.</summary>
    public EndpointIdCache() => _lookup = _known.GetAlternateLookup<ReadOnlySpan<byte>>();

    /// <summary>The id with these bytes.</summary>
    /// <returns>False if they are not 32 bytes that encode a point of the curve.</returns>
    public bool TryGet(ReadOnlySpan<byte> bytes, out EndpointId id)
    {
        id = _last;
        if (_last.Span.SequenceEqual(bytes) || _lookup.TryGetValue(bytes, out id))
        {
            _last = id;
            return true;
        }

        if (!EndpointId.TryFromBytes(bytes, out id))
            return false;
        if (_known.Count >= Capacity)
            _known.Clear();
        _known.Add(id);
        _last = id;
        return true;
    }
}
