using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.ConnectionIds;

/// <summary>
/// The ids under which the peer reaches us on one path (RFC 9000 §5.1.1): issues them, replaces those the peer retires, and
/// remembers which announcements have to be sent. Not thread-safe.
/// </summary>
internal sealed class LocalIds
{
    /// <summary>
    /// Most ids that are issued at a time for one path, whatever the peer allows: enough for probing and migrating, and as many
    /// as noq's window holds.
    /// </summary>
    public const int IssuedMax = 5;

    private readonly Entry[] _entries = new Entry[IssuedMax];
    private int _count;
    private int _limit;
    private readonly PendingIdFrames? _signal;
    private int _pending;
    private ulong _nextSequence;

    /// <summary>The ids of a path of which the peer knows none yet.</summary>
    /// <param name="path">The path.</param>
    /// <param name="signal">Told of announcements.</param>
    public LocalIds(PathId path, PendingIdFrames? signal = null) => (Path, _signal) = (path, signal);

    /// <summary>The ids of the handshake's path: the Source Connection ID of our long headers has sequence number 0.</summary>
    /// <param name="path">The path.</param>
    /// <param name="handshakeId">That id.</param>
    /// <param name="signal">Told of announcements.</param>
    public LocalIds(PathId path, in ConnectionId handshakeId, PendingIdFrames? signal = null)
        : this(path, signal)
    {
        _entries[_count++] = new Entry { Sequence = _nextSequence++, Id = handshakeId };
        _limit = 1;
    }

    /// <summary>The path that the ids belong to.</summary>
    public PathId Path { get; }

    /// <summary>Number of ids that the peer may use.</summary>
    public int Count => _count;

    /// <summary>The first sequence number not yet used.</summary>
    public ulong NextSequence => _nextSequence;

    /// <summary>Takes the peer's active_connection_id_limit, which must not be exceeded (RFC 9000 §5.1.1).</summary>
    /// <param name="limit">At least 2, as the reader of transport parameters has checked.</param>
    public void SetPeerLimit(ulong limit) => _limit = (int)Math.Min(limit, IssuedMax);

    /// <summary>
    /// Makes one more id, if there is room, and has it announced. To be repeated until false: after
    /// <see cref="SetPeerLimit"/> and after each <see cref="OnRetired"/>.
    /// </summary>
    /// <param name="random">For the id.</param>
    /// <param name="reset">For its token.</param>
    /// <param name="id">To be routed to this connection before the announcement is sent.</param>
    public bool TryIssue(RandomSource random, StatelessReset reset, out ConnectionId id)
    {
        if (_count >= _limit)
        {
            id = default;
            return false;
        }

        id = ConnectionIdGenerator.NextLocal(random);
        _entries[_count++] = new Entry
        {
            Sequence = _nextSequence++,
            Id = id,
            ResetToken = reset.TokenOf(id),
            IsAnnouncementPending = true,
        };
        ChangePending(1);
        return true;
    }

    /// <summary>Whether an announcement has to be sent.</summary>
    public bool HasPendingAnnouncement => _pending > 0;

    /// <summary>The oldest announcement that has to be sent, if any. It stays until <see cref="OnAnnouncementSent"/>.</summary>
    public bool TryGetAnnouncement(out NewConnectionIdFrame frame)
    {
        foreach (ref readonly Entry entry in _entries.AsSpan(0, _count))
        {
            if (!entry.IsAnnouncementPending)
                continue;
            // We never ask the peer to retire ids, so Retire Prior To is always 0.
            frame = new NewConnectionIdFrame(entry.Sequence, 0, entry.Id, entry.ResetToken);
            return true;
        }

        frame = default;
        return false;
    }

    /// <summary>The announcement of this sequence number is in a packet.</summary>
    public void OnAnnouncementSent(ulong sequence) => SetAnnouncementPending(sequence, false);

    /// <summary>The packet with the announcement was lost: it is sent again with the same content (RFC 9000 §13.3), unless the id was retired since.</summary>
    public void OnAnnouncementLost(ulong sequence) => SetAnnouncementPending(sequence, true);

    /// <summary>Handles RETIRE_CONNECTION_ID (RFC 9000 §19.16).</summary>
    /// <param name="sequence">The id that the peer gives up; one that it gave up before is ignored.</param>
    /// <param name="packetDestinationId">Destination of the packet that held the frame.</param>
    /// <param name="retired">The id to be forgotten, or null if there is none.</param>
    /// <returns>PROTOCOL_VIOLATION for an id never issued or the very one the packet was sent to, else null.</returns>
    public TransportError? OnRetired(ulong sequence, in ConnectionId packetDestinationId, out ConnectionId? retired)
    {
        retired = null;
        if (sequence >= _nextSequence)
            return Violation("The peer retires a connection id that was never issued.");
        int index = IndexOf(sequence);
        if (index < 0)
            return null;
        if (_entries[index].Id == packetDestinationId)
            return Violation("The peer retires the connection id that it sends the frame to.");
        retired = _entries[index].Id;
        _pending -= _entries[index].IsAnnouncementPending ? 1 : 0;
        _entries.AsSpan(index + 1, _count - index - 1).CopyTo(_entries.AsSpan(index));
        _entries[--_count] = default;
        return null;
    }

    /// <summary>Takes an id away, whichever: the path is forgotten. False if there is none left.</summary>
    public bool TryTakeAny(out ConnectionId id)
    {
        if (_count == 0)
        {
            id = default;
            return false;
        }

        id = _entries[--_count].Id;
        _pending -= _entries[_count].IsAnnouncementPending ? 1 : 0;
        _entries[_count] = default;
        return true;
    }

    /// <summary>Whether the peer may use this id.</summary>
    public bool Contains(in ConnectionId id)
    {
        foreach (ref readonly Entry entry in _entries.AsSpan(0, _count))
        {
            if (entry.Id == id)
                return true;
        }

        return false;
    }

    private void SetAnnouncementPending(ulong sequence, bool isPending)
    {
        int index = IndexOf(sequence);
        if (index < 0 || _entries[index].IsAnnouncementPending == isPending)
            return;
        _entries[index].IsAnnouncementPending = isPending;
        ChangePending(isPending ? 1 : -1);
    }

    private void ChangePending(int by)
    {
        _pending += by;
        if (_signal is not null)
            _signal.IsAny |= _pending > 0;
    }

    private int IndexOf(ulong sequence)
    {
        for (int i = 0; i < _count; i++)
        {
            if (_entries[i].Sequence == sequence)
                return i;
        }

        return -1;
    }

    private static TransportError Violation(string reason) =>
        new(TransportErrorCode.ProtocolViolation, FrameType.RetireConnectionId, reason);

    private struct Entry
    {
        public ulong Sequence;
        public ConnectionId Id;
        public StatelessResetToken ResetToken;
        public bool IsAnnouncementPending;
    }
}
