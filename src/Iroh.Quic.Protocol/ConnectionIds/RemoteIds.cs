using System.Diagnostics;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.ConnectionIds;

/// <summary>
/// The ids under which we reach the peer on one path (RFC 9000 §5.1.2): one is active, later ones are spare, and everything
/// below the active sequence number has been retired. So the state is a window of as many sequence numbers as we allow active
/// ids: a peer that issues them in order and keeps our limit never leaves it. Not thread-safe.
/// </summary>
internal sealed class RemoteIds
{
    /// <summary>
    /// Most retirements that the peer has not acknowledged. Far more than twice the ids it may have issued (RFC 9000 §5.1.2), so
    /// only a peer that makes us retire ids without end gets there.
    /// </summary>
    public const int RetirementsMax = 50;

    private readonly Slot[] _slots;
    private readonly List<Retirement> _retirements = [];
    private readonly PendingIdFrames? _signal;
    private ulong _active;

    /// <summary>A path for which the peer has issued no id yet.</summary>
    /// <param name="path">The path.</param>
    /// <param name="limit">Our active_connection_id_limit, at least 2.</param>
    /// <param name="signal">Told of retirements.</param>
    public RemoteIds(PathId path, int limit, PendingIdFrames? signal = null)
    {
        _signal = signal;
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 2);
        Path = path;
        _slots = new Slot[limit];
    }

    /// <summary>The handshake's path, where the id of sequence number 0 is known from the start.</summary>
    /// <param name="path">The path.</param>
    /// <param name="limit">Our active_connection_id_limit, at least 2.</param>
    /// <param name="handshakeId">For a client where its first Initial goes, for a server the client's Source Connection ID.</param>
    /// <param name="signal">Told of retirements.</param>
    public RemoteIds(PathId path, int limit, in ConnectionId handshakeId, PendingIdFrames? signal = null)
        : this(path, limit, signal) => _slots[0] = new Slot { IsKnown = true, Id = handshakeId };

    /// <summary>The path that the ids belong to.</summary>
    public PathId Path { get; }

    /// <summary>Whether there is an id to send to. Without one nothing can be sent on the path.</summary>
    public bool HasActive => SlotOf(_active).IsKnown;

    /// <summary>The id that packets are sent to; only with <see cref="HasActive"/>.</summary>
    public ConnectionId Active => SlotOf(_active).Id;

    /// <summary>Its sequence number; without <see cref="HasActive"/> the one that is waited for.</summary>
    public ulong ActiveSequence => _active;

    /// <summary>The token of the active id, if the peer gave one. Only this one counts (RFC 9000 §10.3.1).</summary>
    public StatelessResetToken? ActiveResetToken => SlotOf(_active) is { IsKnown: true, HasToken: true } slot ? slot.Token : null;

    /// <summary>Ids that <see cref="TrySwitch"/> can go to.</summary>
    public int SpareCount
    {
        get
        {
            int count = 0;
            foreach (ref readonly Slot slot in _slots.AsSpan())
                count += slot.IsKnown ? 1 : 0;
            return HasActive ? count - 1 : count;
        }
    }

    /// <summary>
    /// Replaces the id of sequence number 0 during the handshake: by the Source Connection ID of a Retry or of the server's first
    /// packet (RFC 9000 §7.2).
    /// </summary>
    public void ReplaceHandshakeId(in ConnectionId id)
    {
        Debug.Assert(_active == 0, "The handshake id is the first.");
        SlotOf(0) = new Slot { IsKnown = true, Id = id };
    }

    /// <summary>Takes the stateless_reset_token of the server's transport parameters, which belongs to sequence number 0.</summary>
    public void SetHandshakeResetToken(StatelessResetToken token)
    {
        if (_active != 0)
            return;
        ref Slot slot = ref SlotOf(0);
        (slot.HasToken, slot.Token) = (true, token);
    }

    /// <summary>
    /// Handles NEW_CONNECTION_ID (RFC 9000 §19.15); also to be called for the id of a preferred address, which has sequence number 1.
    /// </summary>
    /// <param name="frame">As read, so Retire Prior To is not above the sequence number.</param>
    /// <param name="activeChanged">Whether the active id and its token are others now.</param>
    /// <returns>
    /// CONNECTION_ID_LIMIT_ERROR beyond our limit or with too many retirements, PROTOCOL_VIOLATION when the frame contradicts an
    /// earlier one or the peer chose to have ids of no bytes, else null.
    /// </returns>
    public TransportError? OnNewConnectionId(in NewConnectionIdFrame frame, out bool activeChanged)
    {
        activeChanged = false;
        if (HasActive && Active.Length == 0)
            return Error(TransportErrorCode.ProtocolViolation, "The peer has connection ids of no bytes and issues another.");

        bool hadActive = HasActive;
        ulong before = _active;
        if (frame.RetirePriorTo > _active && !TryRetireUpTo(frame.RetirePriorTo))
            return Error(TransportErrorCode.ConnectionIdLimitError, "The peer has too many connection ids retired at once.");

        // Below the active one: retired before, and the RETIRE_CONNECTION_ID of that time still stands (§19.15).
        if (frame.SequenceNumber >= _active && Insert(frame) is { } error)
            return error;
        if (!HasActive && TryFindSpare(out ulong spare) && !TryRetireUpTo(spare))
            return Error(TransportErrorCode.ConnectionIdLimitError, "The peer has too many connection ids retired at once.");
        activeChanged = HasActive && (!hadActive || _active != before);
        return null;
    }

    /// <summary>
    /// Goes to the next spare id and retires the active one, for a new 4-tuple or simply to be harder to follow (RFC 9000 §9.5).
    /// False, with nothing changed, if there is no spare or if too many retirements are open.
    /// </summary>
    public bool TrySwitch() => TryFindSpare(out ulong spare) && TryRetireUpTo(spare);

    /// <summary>Whether a retirement has to be sent.</summary>
    public bool HasPendingRetirement => _retirements.Count > 0 && TryGetRetirement(out _);

    /// <summary>The oldest retirement that has to be sent, if any. It stays until <see cref="OnRetirementSent"/>.</summary>
    public bool TryGetRetirement(out RetireConnectionIdFrame frame)
    {
        foreach (Retirement retirement in _retirements)
        {
            if (!retirement.IsPending)
                continue;
            frame = new RetireConnectionIdFrame(retirement.Sequence);
            return true;
        }

        frame = default;
        return false;
    }

    /// <summary>The retirement of this sequence number is in a packet.</summary>
    public void OnRetirementSent(ulong sequence) => SetRetirementPending(sequence, false);

    /// <summary>The packet with the retirement was lost: it is sent again (RFC 9000 §13.3).</summary>
    public void OnRetirementLost(ulong sequence) => SetRetirementPending(sequence, true);

    /// <summary>The peer knows of the retirement.</summary>
    public void OnRetirementAcknowledged(ulong sequence)
    {
        int index = IndexOfRetirement(sequence);
        if (index >= 0)
            _retirements.RemoveAt(index);
    }

    private TransportError? Insert(in NewConnectionIdFrame frame)
    {
        // The window is as wide as our limit and everything below it is retired: an id beyond it is one too many (§5.1.1).
        if (frame.SequenceNumber - _active >= (ulong)_slots.Length)
            return Error(TransportErrorCode.ConnectionIdLimitError, "The peer issued more connection ids than our limit.");

        ref Slot slot = ref SlotOf(frame.SequenceNumber);
        if (slot.IsKnown)
        {
            // §19.15: a repetition is no error; the same number or id with anything else different MAY be.
            return slot.Id == frame.ConnectionId && slot.HasToken && slot.Token == frame.ResetToken
                ? null
                : Error(TransportErrorCode.ProtocolViolation, "The peer issued two connection ids with one sequence number.");
        }

        foreach (ref readonly Slot other in _slots.AsSpan())
        {
            if (other.IsKnown && other.Id == frame.ConnectionId)
                return Error(TransportErrorCode.ProtocolViolation, "The peer issued one connection id with two sequence numbers.");
        }

        slot = new Slot { IsKnown = true, Id = frame.ConnectionId, HasToken = true, Token = frame.ResetToken };
        return null;
    }

    /// <summary>Moves the window; all below is retired, including ids whose announcement has not arrived: they were issued (§5.1.1: in order).</summary>
    private bool TryRetireUpTo(ulong sequence)
    {
        ulong count = sequence - _active;
        if (count > (ulong)(RetirementsMax - _retirements.Count))
            return false;
        for (; _active < sequence; _active++)
        {
            SlotOf(_active) = default;
            _retirements.Add(new Retirement(_active, IsPending: true));
            Signal();
        }

        return true;
    }

    private bool TryFindSpare(out ulong sequence)
    {
        for (int i = 1; i < _slots.Length; i++)
        {
            sequence = _active + (ulong)i;
            if (SlotOf(sequence).IsKnown)
                return true;
        }

        sequence = 0;
        return false;
    }

    private void SetRetirementPending(ulong sequence, bool isPending)
    {
        int index = IndexOfRetirement(sequence);
        if (index < 0)
            return;
        _retirements[index] = new Retirement(sequence, isPending);
        Signal();
    }

    private void Signal()
    {
        if (_signal is not null)
            _signal.IsAny = true;
    }

    private int IndexOfRetirement(ulong sequence)
    {
        for (int i = 0; i < _retirements.Count; i++)
        {
            if (_retirements[i].Sequence == sequence)
                return i;
        }

        return -1;
    }

    private ref Slot SlotOf(ulong sequence) => ref _slots[(int)(sequence % (ulong)_slots.Length)];

    private static TransportError Error(ulong code, string reason) => new(code, FrameType.NewConnectionId, reason);

    private readonly record struct Retirement(ulong Sequence, bool IsPending);

    private struct Slot
    {
        public bool IsKnown;
        public ConnectionId Id;
        public bool HasToken;
        public StatelessResetToken Token;
    }
}
