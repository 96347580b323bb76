using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Spaces;

/// <summary>
/// Decides when received packets must be acknowledged (RFC 9000 §13.2.1, §13.2.2). "Due" is a flag: however many packets of a
/// receive batch raise it, one ACK answers them all, because the owner sends only after it has handled the batch.
/// </summary>
internal sealed class AckScheduler
{
    /// <summary>The longest wait, and the value of our max_ack_delay transport parameter (its default, RFC 9000 §18.2).</summary>
    public static readonly TimeSpan MaxAckDelay = TimeSpan.FromMilliseconds(25);

    /// <summary>
    /// After how many ack-eliciting packets an ACK is due (RFC 9000 §13.2.2), if they fill <see cref="BytesThreshold"/>. The RFC takes
    /// the number from TCP, which counts full segments (RFC 5681 §4.2): what is small is mostly answered soon, and the answer takes the
    /// ACK along.
    /// </summary>
    public const int AckElicitingThreshold = 2;

    /// <summary>Two packets of the size that every path carries (RFC 9000 §14.1), less their headers and tags.</summary>
    public const int BytesThreshold = 2 * 1100;

    /// <summary>
    /// After how many ack-eliciting packets an ACK is due whatever their size: so often a sender of small packets alone still hears,
    /// which its window, and what it keeps for sending again, wait for.
    /// </summary>
    public const int SmallAckElicitingThreshold = 8;

    /// <summary>
    /// From how many unreported packets that elicit no ACK on one is worth adding to a packet that leaves anyway: the peer
    /// learns that its ACKs arrived and can forget old ranges (RFC 9000 §13.2.4), at the price of a few bytes in ten packets.
    /// </summary>
    public const int NonElicitingThreshold = 10;

    private readonly bool _isImmediate;
    private int _ackEliciting;
    private int _ackElicitingBytes;
    private int _nonEliciting;
    private bool _isDue;
    private Instant _deadline = Instant.Never;

    /// <summary>Starts with nothing to acknowledge.</summary>
    /// <param name="isImmediate">Whether every ack-eliciting packet is acknowledged at once: Initial and Handshake (RFC 9000 §13.2.1).</param>
    public AckScheduler(bool isImmediate) => _isImmediate = isImmediate;

    /// <summary>When a delayed ACK becomes due; <see cref="Instant.Never"/> if nothing waits or one is due already.</summary>
    public Instant Deadline => _isDue ? Instant.Never : _deadline;

    /// <summary>Whether an ACK must be sent even if nothing else is.</summary>
    public bool IsAckDue(Instant now) => _isDue || _deadline <= now;

    /// <summary>Whether a packet that leaves anyway should carry an ACK.</summary>
    public bool ShouldBundle => _ackEliciting > 0 || _nonEliciting >= NonElicitingThreshold;

    /// <summary>The smallest ack-eliciting packet received since the last ACK was sent, null if there is none.</summary>
    public PacketNumber? SmallestUnreported { get; private set; }

    /// <summary>Notes a new packet.</summary>
    /// <param name="now">When it arrived.</param>
    /// <param name="number">Its number.</param>
    /// <param name="length">Bytes of its frames.</param>
    /// <param name="isAckEliciting">Whether it asks for an ACK.</param>
    /// <param name="isOutOfOrder">Whether it came after a later one or left a gap before it.</param>
    /// <param name="mark">Its ECN mark; CE is reported at once.</param>
    public void OnPacketReceived(Instant now, PacketNumber number, int length, bool isAckEliciting, bool isOutOfOrder, EcnCodepoint mark)
    {
        // RFC 9000 §13.2.1: packets that are not ack-eliciting never cause an ACK by themselves, or two ends would never stop.
        if (!isAckEliciting)
        {
            _nonEliciting++;
            return;
        }

        _ackEliciting++;
        _ackElicitingBytes += length;
        if (SmallestUnreported is not { } smallest || number.Value < smallest.Value)
            SmallestUnreported = number;
        bool isEnough = _ackEliciting >= (_ackElicitingBytes >= BytesThreshold ? AckElicitingThreshold : SmallAckElicitingThreshold);
        if (_isImmediate || isOutOfOrder || mark == EcnCodepoint.CongestionExperienced || isEnough)
            _isDue = true;
        else
            _deadline = Instant.Min(_deadline, now + MaxAckDelay);
    }

    /// <summary>Has an ACK of what is unreported sent at once: its path is given up (draft-ietf-quic-multipath-21 §3.4).</summary>
    public void Flush() => _isDue |= _ackEliciting > 0;

    /// <summary>An ACK frame with all ranges was written into a packet.</summary>
    public void OnAckSent()
    {
        _ackEliciting = _ackElicitingBytes = _nonEliciting = 0;
        _isDue = false;
        _deadline = Instant.Never;
        SmallestUnreported = null;
    }
}
