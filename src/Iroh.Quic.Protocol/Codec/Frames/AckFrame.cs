using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>
/// ACK with or without ECN counts (RFC 9000 §19.3), and what PATH_ACK says behind its path id. The ranges stay in the packet's bytes;
/// reading has checked every one of them, so enumerating cannot fail. It allocates nothing and lives as long as the packet's buffer.
/// </summary>
internal readonly ref struct AckFrame
{
    /// <summary>
    /// Most ranges that <see cref="TryWrite"/> writes: more gaps than a healthy path has, and few enough that the count is one
    /// byte and the usual frame stays below 150. Older ranges were in earlier ACKs (RFC 9000 §13.2.3).
    /// </summary>
    public const int WrittenRangesMax = 64;

    private readonly ReadOnlySpan<byte> _ranges;

    private AckFrame(PacketNumber largest, ulong encodedDelay, int rangeCount, ReadOnlySpan<byte> ranges, EcnCounts? ecn)
    {
        LargestAcknowledged = largest;
        EncodedDelay = encodedDelay;
        RangeCount = rangeCount;
        _ranges = ranges;
        Ecn = ecn;
    }

    /// <summary>The largest packet number acknowledged: the top of the first range.</summary>
    public PacketNumber LargestAcknowledged { get; }

    /// <summary>The ACK Delay field as it is on the wire; see <see cref="Delay"/>.</summary>
    public ulong EncodedDelay { get; }

    /// <summary>Number of ranges, at least 1.</summary>
    public int RangeCount { get; }

    /// <summary>The ECN counts, if the frame has them (type 0x03).</summary>
    public EcnCounts? Ecn { get; }

    /// <summary>How long the peer held the ACK back: the field times 2^exponent microseconds, at most <see cref="TimeSpan.MaxValue"/>.</summary>
    /// <param name="ackDelayExponent">The peer's transport parameter, 0 to 20; 3 in Initial and Handshake packets.</param>
    public TimeSpan Delay(int ackDelayExponent)
    {
        UInt128 ticks = ((UInt128)EncodedDelay << ackDelayExponent) * TimeSpan.TicksPerMicrosecond;
        return ticks > (UInt128)long.MaxValue ? TimeSpan.MaxValue : new TimeSpan((long)ticks);
    }

    /// <summary>The value of the ACK Delay field for <paramref name="delay"/>, rounded down; 0 for a negative one.</summary>
    /// <param name="delay">From the arrival of the largest acknowledged packet until now.</param>
    /// <param name="ackDelayExponent">Our own transport parameter, 0 to 20; 3 in Initial and Handshake packets.</param>
    public static ulong EncodeDelay(TimeSpan delay, int ackDelayExponent) =>
        delay <= TimeSpan.Zero ? 0 : (ulong)(delay.Ticks / TimeSpan.TicksPerMicrosecond) >> ackDelayExponent;

    /// <summary>The ranges from the largest to the smallest, for <c>foreach</c>.</summary>
    public RangeEnumerator GetEnumerator() => new(LargestAcknowledged.Value, RangeCount, _ranges);

    /// <summary>Reads and checks the fields behind the type. False: FRAME_ENCODING_ERROR; the reader is then somewhere inside.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out AckFrame frame)
    {
        frame = default;
        return type is FrameType.Ack or FrameType.AckEcn && TryReadFields(ref reader, type == FrameType.AckEcn, out frame);
    }

    /// <summary>Reads and checks the fields from Largest Acknowledged on: those that ACK and PATH_ACK have in common.</summary>
    /// <param name="reader">Behind the type, or behind the path id of a PATH_ACK.</param>
    /// <param name="hasEcn">Whether ECN counts end the frame.</param>
    /// <param name="frame">The frame.</param>
    public static bool TryReadFields(scoped ref WireReader reader, bool hasEcn, out AckFrame frame)
    {
        frame = default;
        if (!reader.TryReadVarInt(out ulong largest)
            || !reader.TryReadVarInt(out ulong delay)
            || !reader.TryReadVarInt(out ulong gapCount))
            return false;

        ReadOnlySpan<byte> ranges = reader.Rest;
        int start = reader.Position;
        if (!reader.TryReadVarInt(out ulong length) || length > largest)
            return false;
        ulong smallest = largest - length;
        // A range takes two bytes or more, so a count that the packet cannot hold ends this loop at the packet's end.
        for (ulong i = 0; i < gapCount; i++)
        {
            // RFC 9000 §19.3.1: a computed packet number below 0 MUST be a FRAME_ENCODING_ERROR.
            if (!reader.TryReadVarInt(out ulong gap) || gap + 2 > smallest
                || !reader.TryReadVarInt(out length) || length > smallest - gap - 2)
                return false;
            smallest = smallest - gap - 2 - length;
        }

        ranges = ranges[..(reader.Position - start)];
        EcnCounts? ecn = null;
        if (hasEcn)
        {
            if (!reader.TryReadVarInt(out ulong ect0) || !reader.TryReadVarInt(out ulong ect1) || !reader.TryReadVarInt(out ulong ce))
                return false;
            ecn = new EcnCounts(ect0, ect1, ce);
        }

        frame = new AckFrame(new PacketNumber(largest), delay, (int)gapCount + 1, ranges, ecn);
        return true;
    }

    /// <summary>
    /// Writes a frame with as many of the ranges, from the first, as fit into the writer and <see cref="WrittenRangesMax"/>.
    /// False, with nothing written, if not even one fits.
    /// </summary>
    /// <param name="writer">Where the frame goes.</param>
    /// <param name="ranges">At least one; the largest numbers first, with a gap of at least one number between neighbours.</param>
    /// <param name="encodedDelay">See <see cref="EncodeDelay"/>.</param>
    /// <param name="ecn">The counts to report, null for the form without.</param>
    /// <param name="rangesWritten">How many ranges the frame has.</param>
    public static bool TryWrite(
        ref WireWriter writer, ReadOnlySpan<PacketNumberRange> ranges, ulong encodedDelay, EcnCounts? ecn, out int rangesWritten) =>
        TryWriteFor(path: null, ref writer, ranges, encodedDelay, ecn, out rangesWritten);

    /// <summary>The same as PATH_ACK of a path, or as ACK if there is none.</summary>
    public static bool TryWriteFor(
        PathId? path,
        ref WireWriter writer,
        ReadOnlySpan<PacketNumberRange> ranges,
        ulong encodedDelay,
        EcnCounts? ecn,
        out int rangesWritten)
    {
        rangesWritten = 0;
        PacketNumberRange first = ranges[0];
        ulong firstLength = first.Last.Value - first.First.Value;
        int ecnLength = ecn is { } c ? VarInt.Length(c.Ect0) + VarInt.Length(c.Ect1) + VarInt.Length(c.Ce) : 0;
        const int TypeAndCountLength = 2; // With at most 63 gaps the count is one byte.
        int space = writer.Remaining - TypeAndCountLength - ecnLength - (path is { } p ? VarInt.Length(p.Value) : 0)
            - VarInt.Length(first.Last.Value) - VarInt.Length(encodedDelay) - VarInt.Length(firstLength);
        if (space < 0)
            return false;

        int count = 1;
        while (count < ranges.Length && count < WrittenRangesMax)
        {
            space -= VarInt.Length(Gap(ranges, count)) + VarInt.Length(Length(ranges[count]));
            if (space < 0)
                break;
            count++;
        }

        if (path is { } id)
        {
            writer.WriteVarInt(ecn is null ? FrameType.PathAck : FrameType.PathAckEcn);
            writer.WriteVarInt(id.Value);
        }
        else
        {
            writer.WriteVarInt(ecn is null ? FrameType.Ack : FrameType.AckEcn);
        }

        writer.WriteVarInt(first.Last.Value);
        writer.WriteVarInt(encodedDelay);
        writer.WriteVarInt((ulong)(count - 1));
        writer.WriteVarInt(firstLength);
        for (int i = 1; i < count; i++)
        {
            writer.WriteVarInt(Gap(ranges, i));
            writer.WriteVarInt(Length(ranges[i]));
        }

        if (ecn is { } counts)
        {
            writer.WriteVarInt(counts.Ect0);
            writer.WriteVarInt(counts.Ect1);
            writer.WriteVarInt(counts.Ce);
        }

        rangesWritten = count;
        return true;
    }

    private static ulong Gap(ReadOnlySpan<PacketNumberRange> ranges, int index) =>
        ranges[index - 1].First.Value - ranges[index].Last.Value - 2;

    private static ulong Length(PacketNumberRange range) => range.Last.Value - range.First.Value;

    /// <summary>Walks the ranges of a checked frame from the largest to the smallest.</summary>
    public ref struct RangeEnumerator
    {
        private WireReader _reader;
        private ulong _top;
        private int _left;

        internal RangeEnumerator(ulong largest, int count, ReadOnlySpan<byte> ranges)
        {
            _reader = new WireReader(ranges);
            _top = largest;
            _left = count;
            Current = default;
        }

        /// <summary>The range reached by the last <see cref="MoveNext"/>.</summary>
        public PacketNumberRange Current { get; private set; }

        /// <summary>Goes to the next lower range.</summary>
        public bool MoveNext()
        {
            if (_left == 0)
                return false;
            _left--;
            _reader.TryReadVarInt(out ulong length);
            Current = new PacketNumberRange(new PacketNumber(_top - length), new PacketNumber(_top));
            if (_left > 0)
            {
                _reader.TryReadVarInt(out ulong gap);
                _top = _top - length - gap - 2;
            }

            return true;
        }
    }
}
