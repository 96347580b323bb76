using Iroh.Quic.Protocol.Codec;

namespace Iroh.Quic.Protocol.Streams;

/// <summary>
/// How much the peer may send (RFC 9000 §4.1, §4.2), on one stream or on all together. Data counts from its arrival against the limit,
/// by highest offsets; the limit moves on as data is consumed.
/// </summary>
internal struct ReceiveWindow
{
    /// <summary>A new limit is announced when it allows at least this fraction of the window more: few frames, and no stall.</summary>
    private const ulong UpdateFraction = 8;

    private readonly ulong _size;
    private ulong _limit;
    private ulong _received;
    private ulong _consumed;

    /// <summary>Starts with a limit of <paramref name="size"/> bytes, which the transport parameters have announced.</summary>
    /// <param name="size">At most <see cref="VarInt.Max"/>.</param>
    public ReceiveWindow(ulong size)
    {
        _size = size;
        _limit = size;
    }

    /// <summary>The limit last announced.</summary>
    public readonly ulong Limit => _limit;

    /// <summary>What has arrived: the highest offset, or the sum of the streams' highest offsets.</summary>
    public readonly ulong Received => _received;

    /// <summary>How much of that no longer needs memory.</summary>
    public readonly ulong Consumed => _consumed;

    /// <summary>Whether the limit has become old enough for an update.</summary>
    public readonly bool IsUpdateDue => NextLimit > _limit && NextLimit - _limit >= _size / UpdateFraction;

    /// <summary>The limit that consumption allows by now.</summary>
    public readonly ulong NextLimit => Math.Min(_consumed + _size, VarInt.Max);

    /// <summary>Whether <paramref name="count"/> bytes more stay within the limit.</summary>
    public readonly bool Allows(ulong count) => count <= _limit - _received;

    /// <summary>Counts bytes that <see cref="Allows"/> has allowed.</summary>
    public void Receive(ulong count) => _received += count;

    /// <summary>Counts received bytes that no longer need memory: read, or thrown away.</summary>
    public void Consume(ulong count) => _consumed += count;

    /// <summary>A frame with <see cref="NextLimit"/> was written.</summary>
    public void Announce() => _limit = NextLimit;
}

/// <summary>How much this end may send (RFC 9000 §4.1) on all streams together, by highest offsets.</summary>
internal struct SendCredit
{
    private ulong _limit;
    private ulong _used;

    /// <summary>Bytes of new data that may still be sent.</summary>
    public readonly ulong Available => _limit - _used;

    /// <summary>Takes over a limit; a lower one than before is old news (RFC 9000 §4.1) and ignored.</summary>
    public void Raise(ulong limit) => _limit = Math.Max(_limit, limit);

    /// <summary>Counts bytes sent for the first time, at most <see cref="Available"/>.</summary>
    public void Use(ulong count) => _used += count;
}
