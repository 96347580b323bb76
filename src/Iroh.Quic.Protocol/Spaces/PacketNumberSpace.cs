using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Spaces;

/// <summary>
/// One packet number space (RFC 9000 §12.3) of one path id: the numbers it hands out, the packets it sent, those it received,
/// and when to acknowledge them. Survives migration to another 4-tuple.
/// </summary>
internal sealed class PacketNumberSpace
{
    /// <summary>One number is skipped below 64 and one in each following octave, so there are at most 57 below 2^62.</summary>
    private const int SkippedMax = 57;

    private const int FirstOctaveBits = 6;

    private readonly RandomSource _random;
    private readonly ulong[]? _skipped;
    private int _skippedCount;
    private ulong _nextToSkip = ulong.MaxValue;
    private int _octaveBits = FirstOctaveBits;

    /// <summary>An unused space.</summary>
    /// <param name="level">Initial and Handshake acknowledge at once; only Application skips numbers.</param>
    /// <param name="random">Chooses the skipped numbers; kept.</param>
    public PacketNumberSpace(EncryptionLevel level, RandomSource random)
    {
        Level = level;
        _random = random;
        Acks = new AckScheduler(isImmediate: level != EncryptionLevel.Application);
        if (level != EncryptionLevel.Application)
            return;
        _skipped = new ulong[SkippedMax];
        _nextToSkip = random.NextBelow(1UL << FirstOctaveBits);
        PassSkippedNumbers();
    }

    /// <summary>The encryption level whose packets are numbered here.</summary>
    public EncryptionLevel Level { get; }

    /// <summary>Sent packets whose fate is unknown.</summary>
    public SentPackets Sent { get; } = new();

    /// <summary>Received packets that the peer may not know to have arrived.</summary>
    public ReceivedPackets Received { get; } = new();

    /// <summary>When to acknowledge them.</summary>
    public AckScheduler Acks { get; }

    /// <summary>The number that the next packet gets. Above <see cref="PacketNumber.Max"/> the space is used up (RFC 9000 §12.3).</summary>
    public PacketNumber NextNumber { get; private set; }

    /// <summary>The largest of our packets that the peer acknowledged: what truncated numbers are relative to (RFC 9000 §17.1).</summary>
    public PacketNumber? LargestAcknowledged { get; private set; }

    /// <summary>When the next outstanding packet is lost by time (RFC 9002 §6.1.2); <see cref="Instant.Never"/> if none will be.</summary>
    public Instant LossTime { get; set; } = Instant.Never;

    /// <summary>Ack-eliciting packets to send here although congestion control forbids it (RFC 9002 §6.2.4); sending them counts it down.</summary>
    public int ProbesPending { get; set; }

    /// <summary>The ECN counts in the last ACK that was taken into account.</summary>
    public EcnCounts PeerEcnCounts { get; set; }

    /// <summary>The largest ack-eliciting packet received.</summary>
    public PacketNumber? LargestAckElicitingReceived { get; private set; }

    /// <summary>Takes <see cref="NextNumber"/> for a packet, and now and then passes one by that is never sent (RFC 9000 §21.4).</summary>
    public PacketNumber TakeNumber()
    {
        PacketNumber number = NextNumber;
        NextNumber = number.Next;
        PassSkippedNumbers();
        return number;
    }

    /// <summary>Records a received packet, once its frames have been read without error, and schedules its acknowledgement.</summary>
    /// <returns>False, and nothing changes, if it is a duplicate.</returns>
    public bool OnPacketReceived(Instant now, PacketNumber number, int length, bool isAckEliciting, EcnCodepoint mark)
    {
        if (!Received.Record(now, number, mark))
            return false;
        Acks.OnPacketReceived(now, number, length, isAckEliciting, isAckEliciting && IsOutOfOrder(number), mark);
        if (isAckEliciting && (LargestAckElicitingReceived is not { } largest || number.Value > largest.Value))
            LargestAckElicitingReceived = number;
        return true;
    }

    /// <summary>
    /// An ACK of ours whose largest number was <paramref name="largest"/> reached the peer: everything up to there needs no
    /// further acknowledgement (RFC 9000 §13.2.4), except what arrived late, after that ACK had been sent.
    /// </summary>
    public void OnAckAcknowledged(PacketNumber largest)
    {
        if (Acks.SmallestUnreported is not { } unreported || largest.Value < unreported.Value)
            Received.ForgetUpTo(largest);
        else if (unreported.Value > 0)
            Received.ForgetUpTo(new PacketNumber(unreported.Value - 1));
    }

    /// <summary>
    /// Checks the ranges of an ACK frame against what was sent. To acknowledge a number that was not sent is a connection error
    /// (RFC 9000 §13.1), and the only explanation for a skipped one is an attack (§21.4).
    /// </summary>
    /// <param name="ranges">Not empty, in any order.</param>
    public TransportError? CheckAcknowledged(ReadOnlySpan<PacketNumberRange> ranges)
    {
        foreach (ref readonly PacketNumberRange range in ranges)
        {
            if (range.Last.Value >= NextNumber.Value)
                return new TransportError(TransportErrorCode.ProtocolViolation, "acknowledges a packet that was never sent");
            for (int i = _skippedCount - 1; i >= 0 && _skipped![i] >= range.First.Value; i--)
            {
                if (_skipped[i] <= range.Last.Value)
                    return new TransportError(TransportErrorCode.ProtocolViolation, "acknowledges a skipped packet number");
            }
        }

        return null;
    }

    /// <summary>Raises <see cref="LargestAcknowledged"/>; true if <paramref name="number"/> is larger than before.</summary>
    public bool RaiseLargestAcknowledged(PacketNumber number)
    {
        if (LargestAcknowledged is { } largest && largest.Value >= number.Value)
            return false;
        LargestAcknowledged = number;
        return true;
    }

    /// <summary>RFC 9000 §13.2.1: older than an ack-eliciting packet received before, or newer with packets missing in between.</summary>
    private bool IsOutOfOrder(PacketNumber number)
    {
        if (LargestAckElicitingReceived is not { } largest)
            return false;
        if (number.Value < largest.Value)
            return true;
        ulong expectedFrom = Math.Max(largest.Value + 1, Received.Floor.Value);
        foreach (ref readonly PacketNumberRange range in Received.Ranges)
        {
            if (range.First.Value <= number.Value)
                return range.First.Value > expectedFrom;
        }

        return true;
    }

    private void PassSkippedNumbers()
    {
        while (NextNumber.Value == _nextToSkip)
        {
            _skipped![_skippedCount++] = _nextToSkip;
            NextNumber = NextNumber.Next;

            // Octave b holds the numbers from 2^b to 2^(b+1) - 1.
            ulong octave = 1UL << _octaveBits;
            _nextToSkip = _octaveBits < 62 ? octave + _random.NextBelow(octave) : ulong.MaxValue;
            _octaveBits++;
        }
    }
}
