using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.Streams;

/// <summary>Counts the streams of one direction that this end opens, against the peer's limit (RFC 9000 §4.6).</summary>
internal sealed class LocalStreamCounter
{
    private readonly StreamDirection _direction;
    private ulong _limit;
    private bool _isOpenerWaiting;
    private bool _isBlockedPending;

    /// <summary>Starts with no stream allowed: the peer's parameters are not known.</summary>
    public LocalStreamCounter(StreamDirection direction) => _direction = direction;

    /// <summary>How many were opened: all indices below this are or were streams.</summary>
    public ulong Opened { get; private set; }

    /// <summary>Whether STREAMS_BLOCKED is to be sent.</summary>
    public bool IsBlockedPending => _isBlockedPending;

    /// <summary>Counts one more, unless the limit forbids it.</summary>
    public bool TryOpen(out ulong index)
    {
        index = Opened;
        if (Opened < _limit)
        {
            Opened++;
            return true;
        }

        // RFC 9000 §4.6: STREAMS_BLOCKED once for a limit. Without the peer's parameters (limit 0) there is nobody to tell.
        _isBlockedPending |= !_isOpenerWaiting && _limit > 0;
        _isOpenerWaiting = true;
        return false;
    }

    /// <summary>Takes over a limit, at most 2^60. Returns whether an opener that was refused can try again.</summary>
    public bool Raise(ulong limit)
    {
        if (limit <= _limit)
            return false; // old news (RFC 9000 §4.6)
        _limit = limit;
        bool wake = _isOpenerWaiting;
        _isOpenerWaiting = false;
        _isBlockedPending = false;
        return wake;
    }

    /// <summary>Writes STREAMS_BLOCKED (RFC 9000 §19.14) if it fits.</summary>
    public bool TryWriteBlocked(ref WireWriter writer, out SentFrame frame)
    {
        frame = new SentFrame(SentFrameKind.StreamsBlocked, _direction == StreamDirection.Unidirectional, 0, _limit, 0);
        var blocked = new StreamsBlockedFrame(_direction, _limit);
        if (writer.Remaining < blocked.EncodedLength)
            return false;
        blocked.Write(ref writer);
        _isBlockedPending = false;
        return true;
    }

    /// <summary>STREAMS_BLOCKED was lost; it is repeated while it is true.</summary>
    public void OnBlockedLost(ulong limit) => _isBlockedPending |= _isOpenerWaiting && limit == _limit;
}

/// <summary>Counts the streams of one direction that the peer opens, and allows new ones as old ones end (RFC 9000 §4.6).</summary>
internal sealed class RemoteStreamCounter
{
    /// <summary>A new limit is announced when it allows at least this fraction of the streams more: few frames, and no stall.</summary>
    private const ulong UpdateFraction = 8;

    private readonly StreamDirection _direction;
    private readonly ulong _concurrent;
    private ulong _limit;
    private ulong _gone;
    private bool _isAccepterWaiting = true;
    private bool _isLimitLost;

    /// <summary>Starts with <paramref name="concurrent"/> streams allowed, which the transport parameters have announced.</summary>
    public RemoteStreamCounter(StreamDirection direction, ulong concurrent)
    {
        _direction = direction;
        _concurrent = concurrent;
        _limit = concurrent;
    }

    /// <summary>How many the peer has opened: all indices below this are or were streams.</summary>
    public ulong Opened { get; private set; }

    /// <summary>How many of them the application has accepted.</summary>
    public ulong Accepted { get; private set; }

    /// <summary>Whether MAX_STREAMS is to be sent.</summary>
    public bool IsLimitPending =>
        _isLimitLost || (NextLimit > _limit && NextLimit - _limit >= Math.Max(_concurrent / UpdateFraction, 1));

    private ulong NextLimit => Math.Min(_concurrent + _gone, MaxStreamsFrame.CountMax);

    /// <summary>Whether a stream of this index would stay within the limit.</summary>
    public bool Allows(ulong index) => index < _limit;

    /// <summary>Counts all up to <paramref name="index"/>, which is allowed, as opened (RFC 9000 §2.1).</summary>
    /// <returns>Whether a waiting accepter now has something to accept; true once until it waits again.</returns>
    public bool Open(ulong index)
    {
        Opened = index + 1;
        bool wake = _isAccepterWaiting;
        _isAccepterWaiting = false;
        return wake;
    }

    /// <summary>The next stream in order for the application.</summary>
    public bool TryAccept(out ulong index)
    {
        index = Accepted;
        _isAccepterWaiting = Accepted == Opened;
        if (_isAccepterWaiting)
            return false;
        Accepted++;
        return true;
    }

    /// <summary>Counts one stream of which both halves are gone.</summary>
    public void OnGone() => _gone++;

    /// <summary>Writes MAX_STREAMS (RFC 9000 §19.11) with the newest limit if it fits.</summary>
    public bool TryWriteLimit(ref WireWriter writer, out SentFrame frame)
    {
        frame = new SentFrame(SentFrameKind.MaxStreams, _direction == StreamDirection.Unidirectional, 0, NextLimit, 0);
        var limit = new MaxStreamsFrame(_direction, NextLimit);
        if (writer.Remaining < limit.EncodedLength)
            return false;
        limit.Write(ref writer);
        _limit = NextLimit;
        _isLimitLost = false;
        return true;
    }

    /// <summary>MAX_STREAMS with <paramref name="limit"/> was lost; a later one that is in flight makes up for it.</summary>
    public void OnLimitLost(ulong limit) => _isLimitLost |= limit == _limit;
}
