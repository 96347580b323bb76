using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Codec.Frames;

/// <summary>Treats frames of all types alike: makes random ones, and reads one, writes it again and describes its fields.</summary>
internal static class AnyFrame
{
    public static readonly ulong[] Types =
    [
        0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13,
        0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x30, 0x31,
        0x3e, 0x3f, 0xaf, 0x3e75, 0x3e76, 0x3e77, 0x3e78, 0x3e79, 0x3e7a, 0x3e7b, 0x3e7c, 0x3d7f90, 0x3d7f91, 0x3d7f92, 0x3d7f93,
        0x3d7f94, 0x9f81a6, 0x9f81a7, 0x1b1a5e40, 0x1b1a5e41, 0x1b1a5e42,
    ];

    private delegate bool TryRead<T>(scoped ref WireReader reader, ulong type, out T frame)
        where T : allows ref struct;

    private delegate void Write<T>(T frame, ref WireWriter writer)
        where T : allows ref struct;

    /// <summary>Reads the frame whose type was read and writes it again. Null if it cannot be read, else its fields as text.</summary>
    public static string? Copy(ref WireReader reader, ulong type, ref WireWriter writer) => type switch
    {
        FrameType.Padding => Copy<PaddingFrame>(ref reader, type, ref writer, PaddingFrame.TryRead,
            static (PaddingFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        FrameType.Ping => CopyPing(ref writer),
        FrameType.Ack or FrameType.AckEcn => Copy<AckFrame>(ref reader, type, ref writer, AckFrame.TryRead,
            WriteAck, null, static f => Text(f)),
        FrameType.ResetStream => Copy<ResetStreamFrame>(ref reader, type, ref writer, ResetStreamFrame.TryRead,
            static (ResetStreamFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        FrameType.StopSending => Copy<StopSendingFrame>(ref reader, type, ref writer, StopSendingFrame.TryRead,
            static (StopSendingFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        FrameType.Crypto => Copy<CryptoFrame>(ref reader, type, ref writer, CryptoFrame.TryRead,
            static (CryptoFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength,
            static f => $"Crypto {f.Offset} {Convert.ToHexString(f.Data)}"),
        FrameType.NewToken => Copy<NewTokenFrame>(ref reader, type, ref writer, NewTokenFrame.TryRead,
            static (NewTokenFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength,
            static f => $"NewToken {Convert.ToHexString(f.Token)}"),
        >= FrameType.Stream and <= FrameType.StreamLast => Copy<StreamFrame>(ref reader, type, ref writer, StreamFrame.TryRead,
            static (StreamFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength,
            static f => $"Stream {f.StreamId} {f.Offset} {f.Fin} {f.HasLength} {Convert.ToHexString(f.Data)}"),
        FrameType.MaxData => Copy<MaxDataFrame>(ref reader, type, ref writer, MaxDataFrame.TryRead,
            static (MaxDataFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        FrameType.MaxStreamData => Copy<MaxStreamDataFrame>(ref reader, type, ref writer, MaxStreamDataFrame.TryRead,
            static (MaxStreamDataFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        FrameType.MaxStreamsBidirectional or FrameType.MaxStreamsUnidirectional => Copy<MaxStreamsFrame>(
            ref reader, type, ref writer, MaxStreamsFrame.TryRead,
            static (MaxStreamsFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        FrameType.DataBlocked => Copy<DataBlockedFrame>(ref reader, type, ref writer, DataBlockedFrame.TryRead,
            static (DataBlockedFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        FrameType.StreamDataBlocked => Copy<StreamDataBlockedFrame>(
            ref reader, type, ref writer, StreamDataBlockedFrame.TryRead,
            static (StreamDataBlockedFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength,
            static f => f.ToString()),
        FrameType.StreamsBlockedBidirectional or FrameType.StreamsBlockedUnidirectional => Copy<StreamsBlockedFrame>(
            ref reader, type, ref writer, StreamsBlockedFrame.TryRead,
            static (StreamsBlockedFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength,
            static f => f.ToString()),
        FrameType.NewConnectionId => Copy<NewConnectionIdFrame>(ref reader, type, ref writer, NewConnectionIdFrame.TryRead,
            static (NewConnectionIdFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength,
            static f => f.ToString()),
        FrameType.RetireConnectionId => Copy<RetireConnectionIdFrame>(
            ref reader, type, ref writer, RetireConnectionIdFrame.TryRead,
            static (RetireConnectionIdFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength,
            static f => f.ToString()),
        FrameType.PathChallenge => Copy<PathChallengeFrame>(ref reader, type, ref writer, PathChallengeFrame.TryRead,
            static (PathChallengeFrame f, ref WireWriter w) => f.Write(ref w), static f => PathChallengeFrame.EncodedLength,
            static f => f.ToString()),
        FrameType.PathResponse => Copy<PathResponseFrame>(ref reader, type, ref writer, PathResponseFrame.TryRead,
            static (PathResponseFrame f, ref WireWriter w) => f.Write(ref w), static f => PathResponseFrame.EncodedLength,
            static f => f.ToString()),
        FrameType.ConnectionClose or FrameType.ApplicationClose => Copy<ConnectionCloseFrame>(
            ref reader, type, ref writer, ConnectionCloseFrame.TryRead,
            static (ConnectionCloseFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength,
            static f => $"Close {f.IsApplication} {f.ErrorCode} {f.FrameType} {Convert.ToHexString(f.Reason)}"),
        FrameType.HandshakeDone => CopyHandshakeDone(ref writer),
        FrameType.Datagram or FrameType.DatagramWithLength => Copy<DatagramFrame>(
            ref reader, type, ref writer, DatagramFrame.TryRead,
            static (DatagramFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength,
            static f => $"Datagram {f.HasLength} {Convert.ToHexString(f.Data)}"),
        FrameType.PathAck or FrameType.PathAckEcn => Copy<PathAckFrame>(ref reader, type, ref writer, PathAckFrame.TryRead,
            WritePathAck, null, static f => $"Path {f.Path.Value} {Text(f.Ack)}"),
        FrameType.ImmediateAck => CopyImmediateAck(ref writer),
        FrameType.AckFrequency => Copy<AckFrequencyFrame>(ref reader, type, ref writer, AckFrequencyFrame.TryRead,
            static (AckFrequencyFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        FrameType.PathAbandon => Copy<PathAbandonFrame>(ref reader, type, ref writer, PathAbandonFrame.TryRead,
            static (PathAbandonFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        FrameType.PathStatusAvailable or FrameType.PathStatusBackup => Copy<PathStatusFrame>(ref reader, type, ref writer, PathStatusFrame.TryRead,
            static (PathStatusFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        FrameType.PathNewConnectionId => Copy<PathNewConnectionIdFrame>(ref reader, type, ref writer, PathNewConnectionIdFrame.TryRead,
            static (PathNewConnectionIdFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        FrameType.PathRetireConnectionId => Copy<PathRetireConnectionIdFrame>(ref reader, type, ref writer, PathRetireConnectionIdFrame.TryRead,
            static (PathRetireConnectionIdFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        FrameType.MaxPathId => Copy<MaxPathIdFrame>(ref reader, type, ref writer, MaxPathIdFrame.TryRead,
            static (MaxPathIdFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        FrameType.PathsBlocked => Copy<PathsBlockedFrame>(ref reader, type, ref writer, PathsBlockedFrame.TryRead,
            static (PathsBlockedFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        FrameType.PathCidsBlocked => Copy<PathCidsBlockedFrame>(ref reader, type, ref writer, PathCidsBlockedFrame.TryRead,
            static (PathCidsBlockedFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        FrameType.AddAddressIPv4 or FrameType.AddAddressIPv6 => Copy<AddAddressFrame>(ref reader, type, ref writer, AddAddressFrame.TryRead,
            static (AddAddressFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        FrameType.ReachOutIPv4 or FrameType.ReachOutIPv6 => Copy<ReachOutFrame>(ref reader, type, ref writer, ReachOutFrame.TryRead,
            static (ReachOutFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        FrameType.RemoveAddress => Copy<RemoveAddressFrame>(ref reader, type, ref writer, RemoveAddressFrame.TryRead,
            static (RemoveAddressFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        FrameType.ObservedAddressIPv4 or FrameType.ObservedAddressIPv6 => Copy<ObservedAddressFrame>(ref reader, type, ref writer, ObservedAddressFrame.TryRead,
            static (ObservedAddressFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        FrameType.NatMappingIPv4 or FrameType.NatMappingIPv6 => Copy<NatMappingFrame>(
            ref reader, type, ref writer, NatMappingFrame.TryRead,
            static (NatMappingFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        FrameType.PortSearch => Copy<PortSearchFrame>(ref reader, type, ref writer, PortSearchFrame.TryRead,
            static (PortSearchFrame f, ref WireWriter w) => f.Write(ref w), static f => f.EncodedLength, static f => f.ToString()),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a frame of this library."),
    };

    /// <summary>Writes a random valid frame of the type.</summary>
    public static void WriteRandom(RandomSource random, ulong type, ref WireWriter writer)
    {
        var streamId = new StreamId(random.VarIntValue());
        ulong value = random.VarIntValue();
        switch (type)
        {
            case FrameType.Padding:
                new PaddingFrame(1 + (int)random.NextBelow(50)).Write(ref writer);
                break;
            case FrameType.Ping:
                PingFrame.Write(ref writer);
                break;
            case FrameType.Ack or FrameType.AckEcn:
                WriteRandomAck(random, type, ref writer);
                break;
            case FrameType.ResetStream:
                new ResetStreamFrame(streamId, value, random.VarIntValue()).Write(ref writer);
                break;
            case FrameType.StopSending:
                new StopSendingFrame(streamId, value).Write(ref writer);
                break;
            case FrameType.Crypto:
                new CryptoFrame(value / 2, random.BytesUpTo(100)).Write(ref writer);
                break;
            case FrameType.NewToken:
                new NewTokenFrame(random.Bytes(1 + (int)random.NextBelow(100))).Write(ref writer);
                break;
            case >= FrameType.Stream and <= FrameType.StreamLast:
                ulong offset = (type & FrameType.StreamOffsetBit) == 0 ? 0 : 1 + (value / 2);
                bool fin = (type & FrameType.StreamFinBit) != 0;
                bool hasLength = (type & FrameType.StreamLengthBit) != 0;
                new StreamFrame(streamId, offset, random.BytesUpTo(100), fin, hasLength).Write(ref writer);
                break;
            case FrameType.MaxData:
                new MaxDataFrame(value).Write(ref writer);
                break;
            case FrameType.MaxStreamData:
                new MaxStreamDataFrame(streamId, value).Write(ref writer);
                break;
            case FrameType.MaxStreamsBidirectional or FrameType.MaxStreamsUnidirectional:
                new MaxStreamsFrame((StreamDirection)(type & 1), value / 4).Write(ref writer);
                break;
            case FrameType.DataBlocked:
                new DataBlockedFrame(value).Write(ref writer);
                break;
            case FrameType.StreamDataBlocked:
                new StreamDataBlockedFrame(streamId, value).Write(ref writer);
                break;
            case FrameType.StreamsBlockedBidirectional or FrameType.StreamsBlockedUnidirectional:
                new StreamsBlockedFrame((StreamDirection)(type & 1), value / 4).Write(ref writer);
                break;
            case FrameType.NewConnectionId:
                var token = new StatelessResetToken(random.Bytes(StatelessResetToken.Length));
                new NewConnectionIdFrame(value, random.NextBelow(value + 1), random.Id(1), token).Write(ref writer);
                break;
            case FrameType.RetireConnectionId:
                new RetireConnectionIdFrame(value).Write(ref writer);
                break;
            case FrameType.PathChallenge:
                new PathChallengeFrame(random.NextUInt64()).Write(ref writer);
                break;
            case FrameType.PathResponse:
                new PathResponseFrame(random.NextUInt64()).Write(ref writer);
                break;
            case FrameType.ConnectionClose:
                ConnectionCloseFrame.Transport(value, random.VarIntValue(), random.BytesUpTo(100)).Write(ref writer);
                break;
            case FrameType.ApplicationClose:
                ConnectionCloseFrame.Application(value, random.BytesUpTo(100)).Write(ref writer);
                break;
            case FrameType.HandshakeDone:
                HandshakeDoneFrame.Write(ref writer);
                break;
            case FrameType.Datagram or FrameType.DatagramWithLength:
                new DatagramFrame(random.BytesUpTo(100), type == FrameType.DatagramWithLength).Write(ref writer);
                break;
            case FrameType.ImmediateAck:
                ImmediateAckFrame.Write(ref writer);
                break;
            default:
                WriteRandomExtension(random, type, ref writer);
                break;
        }
    }

    private static void WriteRandomExtension(RandomSource random, ulong type, ref WireWriter writer)
    {
        var path = new PathId((uint)(random.VarIntValue() >> 30));
        ulong value = random.VarIntValue();
        switch (type)
        {
            case FrameType.PathAck or FrameType.PathAckEcn:
                WriteRandomAck(random, type, ref writer);
                break;
            case FrameType.AckFrequency:
                new AckFrequencyFrame(value, random.VarIntValue(), random.VarIntValue(), random.VarIntValue()).Write(ref writer);
                break;
            case FrameType.PathAbandon:
                new PathAbandonFrame(path, value).Write(ref writer);
                break;
            case FrameType.PathStatusAvailable or FrameType.PathStatusBackup:
                new PathStatusFrame(path, value, type == FrameType.PathStatusBackup).Write(ref writer);
                break;
            case FrameType.PathNewConnectionId:
                var token = new StatelessResetToken(random.Bytes(StatelessResetToken.Length));
                var issued = new NewConnectionIdFrame(value, random.NextBelow(value + 1), random.Id(1), token);
                new PathNewConnectionIdFrame(path, issued).Write(ref writer);
                break;
            case FrameType.PathRetireConnectionId:
                new PathRetireConnectionIdFrame(path, value).Write(ref writer);
                break;
            case FrameType.MaxPathId:
                new MaxPathIdFrame(path).Write(ref writer);
                break;
            case FrameType.PathsBlocked:
                new PathsBlockedFrame(path).Write(ref writer);
                break;
            case FrameType.PathCidsBlocked:
                new PathCidsBlockedFrame(path, value).Write(ref writer);
                break;
            case FrameType.AddAddressIPv4 or FrameType.AddAddressIPv6:
                new AddAddressFrame(value, RandomAddress(random, type == FrameType.AddAddressIPv4)).Write(ref writer);
                break;
            case FrameType.ReachOutIPv4 or FrameType.ReachOutIPv6:
                new ReachOutFrame(value, RandomAddress(random, type == FrameType.ReachOutIPv4)).Write(ref writer);
                break;
            case FrameType.RemoveAddress:
                new RemoveAddressFrame(value).Write(ref writer);
                break;
            case FrameType.NatMappingIPv4 or FrameType.NatMappingIPv6:
                new NatMappingFrame(value, random.Coin(), RandomAddress(random, type == FrameType.NatMappingIPv4)).Write(ref writer);
                break;
            case FrameType.PortSearch:
                new PortSearchFrame(value).Write(ref writer);
                break;
            case FrameType.ObservedAddressIPv4 or FrameType.ObservedAddressIPv6:
                new ObservedAddressFrame(value, RandomAddress(random, type == FrameType.ObservedAddressIPv4)).Write(ref writer);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(type), type, "Not a frame of this library.");
        }
    }

    private static NetworkAddress RandomAddress(RandomSource random, bool isIPv4)
    {
        ushort port = (ushort)random.NextUInt64();
        return isIPv4 ? NetworkAddress.FromIPv4(random.Bytes(4), port) : NetworkAddress.FromIPv6(random.Bytes(16), port);
    }

    /// <summary>The fields of an ACK, with no more ranges than a writer repeats.</summary>
    public static string Text(AckFrame frame)
    {
        PacketNumberRange[] ranges = Ranges(frame);
        Assert.Equal(frame.RangeCount, ranges.Length);
        return $"Ack {frame.EncodedDelay} {frame.Ecn} "
            + string.Join(' ', ranges.Take(AckFrame.WrittenRangesMax).Select(r => $"{r.First.Value}-{r.Last.Value}"));
    }

    public static PacketNumberRange[] Ranges(AckFrame frame)
    {
        var ranges = new List<PacketNumberRange>();
        foreach (PacketNumberRange range in frame)
            ranges.Add(range);
        return [.. ranges];
    }

    private static string? Copy<T>(
        ref WireReader reader,
        ulong type,
        ref WireWriter writer,
        TryRead<T> tryRead,
        Write<T> write,
        Func<T, int>? encodedLength,
        Func<T, string> text)
        where T : allows ref struct
    {
        if (!tryRead(ref reader, type, out T frame))
            return null;
        int start = writer.Position;
        write(frame, ref writer);
        if (encodedLength is not null)
            Assert.Equal(encodedLength(frame), writer.Position - start);
        return text(frame);
    }

    private static string CopyPing(ref WireWriter writer)
    {
        PingFrame.Write(ref writer);
        return "Ping";
    }

    private static string CopyHandshakeDone(ref WireWriter writer)
    {
        HandshakeDoneFrame.Write(ref writer);
        return "HandshakeDone";
    }

    private static void WriteAck(AckFrame frame, ref WireWriter writer) =>
        Assert.True(AckFrame.TryWrite(ref writer, Ranges(frame), frame.EncodedDelay, frame.Ecn, out _));

    private static string CopyImmediateAck(ref WireWriter writer)
    {
        ImmediateAckFrame.Write(ref writer);
        return "ImmediateAck";
    }

    private static void WritePathAck(PathAckFrame frame, ref WireWriter writer) =>
        Assert.True(PathAckFrame.TryWrite(ref writer, frame.Path, Ranges(frame.Ack), frame.Ack.EncodedDelay, frame.Ack.Ecn, out _));

    private static void WriteRandomAck(RandomSource random, ulong type, ref WireWriter writer)
    {
        var ranges = new List<PacketNumberRange>();
        ulong top = random.VarIntValue();
        for (ulong left = 1 + random.NextBelow(80); left > 0; left--)
        {
            ulong bottom = top - random.NextBelow(Math.Min(top, 100) + 1);
            ranges.Add(new PacketNumberRange(new PacketNumber(bottom), new PacketNumber(top)));
            ulong gap = 2 + random.NextBelow(100);
            if (bottom < gap)
                break;
            top = bottom - gap;
        }

        PathId? path = type is FrameType.PathAck or FrameType.PathAckEcn ? new PathId((uint)(random.VarIntValue() >> 30)) : null;
        EcnCounts? ecn = type is FrameType.AckEcn or FrameType.PathAckEcn
            ? new EcnCounts(random.VarIntValue(), random.VarIntValue(), random.VarIntValue())
            : null;
        Assert.True(AckFrame.TryWriteFor(path, ref writer, ranges.ToArray(), random.VarIntValue(), ecn, out int count));
        Assert.Equal(Math.Min(ranges.Count, AckFrame.WrittenRangesMax), count);
    }
}
