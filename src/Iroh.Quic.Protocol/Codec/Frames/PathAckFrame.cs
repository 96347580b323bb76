using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>PATH_ACK with or without ECN counts (draft-ietf-quic-multipath-21 §4.1): an ACK of the packet numbers of one path.</summary>
internal readonly ref struct PathAckFrame
{
    private PathAckFrame(PathId path, AckFrame ack)
    {
        Path = path;
        Ack = ack;
    }

    /// <summary>The path whose packets are acknowledged; the frame may travel on any.</summary>
    public PathId Path { get; }

    /// <summary>What is acknowledged. It lives as long as the packet's buffer.</summary>
    public AckFrame Ack { get; }

    /// <summary>Reads and checks the fields behind the type. False: FRAME_ENCODING_ERROR; the reader is then somewhere inside.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out PathAckFrame frame)
    {
        frame = default;
        if (type is not (FrameType.PathAck or FrameType.PathAckEcn)
            || !PathIdField.TryRead(ref reader, out PathId path)
            || !AckFrame.TryReadFields(ref reader, type == FrameType.PathAckEcn, out AckFrame ack))
            return false;
        frame = new PathAckFrame(path, ack);
        return true;
    }

    /// <summary>Writes a frame for a path as <see cref="AckFrame.TryWrite"/> does.</summary>
    public static bool TryWrite(
        ref WireWriter writer,
        PathId path,
        ReadOnlySpan<PacketNumberRange> ranges,
        ulong encodedDelay,
        EcnCounts? ecn,
        out int rangesWritten) =>
        AckFrame.TryWriteFor(path, ref writer, ranges, encodedDelay, ecn, out rangesWritten);
}
