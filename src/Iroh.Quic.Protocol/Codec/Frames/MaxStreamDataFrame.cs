using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>MAX_STREAM_DATA (RFC 9000 §19.10): how many bytes one stream may carry.</summary>
/// <param name="StreamId">The stream.</param>
/// <param name="Maximum">Bytes since the start of the stream, 0 to 2^62-1.</param>
internal readonly record struct MaxStreamDataFrame(StreamId StreamId, ulong Maximum)
{
    /// <summary>Reads the fields behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out MaxStreamDataFrame frame)
    {
        frame = default;
        if (type != FrameType.MaxStreamData || !reader.TryReadVarInt(out ulong id) || !reader.TryReadVarInt(out ulong value))
            return false;
        frame = new MaxStreamDataFrame(new StreamId(id), value);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => 1 + VarInt.Length(StreamId.Value) + VarInt.Length(Maximum);

    /// <summary>Writes type and fields.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(FrameType.MaxStreamData);
        writer.WriteVarInt(StreamId.Value);
        writer.WriteVarInt(Maximum);
    }
}
