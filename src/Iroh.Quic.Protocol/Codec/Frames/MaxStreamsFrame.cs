using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>MAX_STREAMS (RFC 9000 §19.11): how many streams of one direction the receiver of the frame may open in all.</summary>
/// <param name="Direction">The streams that are counted.</param>
/// <param name="Maximum">Streams since the start of the connection, 0 to 2^60.</param>
internal readonly record struct MaxStreamsFrame(StreamDirection Direction, ulong Maximum)
{
    /// <summary>Most streams of one direction: the id of a later one would not fit into 62 bits (RFC 9000 §19.11).</summary>
    public const ulong CountMax = 1UL << 60;

    /// <summary>Reads the field behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out MaxStreamsFrame frame)
    {
        frame = default;
        if (type is not (FrameType.MaxStreamsBidirectional or FrameType.MaxStreamsUnidirectional)
            || !reader.TryReadVarInt(out ulong value)
            || value > CountMax) // RFC 9000 §19.11: MUST be refused.
            return false;
        frame = new MaxStreamsFrame(
            type == FrameType.MaxStreamsBidirectional ? StreamDirection.Bidirectional : StreamDirection.Unidirectional, value);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => 1 + VarInt.Length(Maximum);

    /// <summary>Writes type and field.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(
            Direction == StreamDirection.Bidirectional ? FrameType.MaxStreamsBidirectional : FrameType.MaxStreamsUnidirectional);
        writer.WriteVarInt(Maximum);
    }
}
