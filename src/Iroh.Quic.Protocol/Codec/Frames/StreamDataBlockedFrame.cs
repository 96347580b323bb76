using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>STREAM_DATA_BLOCKED (RFC 9000 §19.13): the sender has more to say than the stream's limit allows.</summary>
/// <param name="StreamId">The stream.</param>
/// <param name="Limit">The limit that holds it back, in bytes, 0 to 2^62-1.</param>
internal readonly record struct StreamDataBlockedFrame(StreamId StreamId, ulong Limit)
{
    /// <summary>Reads the fields behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out StreamDataBlockedFrame frame)
    {
        frame = default;
        if (type != FrameType.StreamDataBlocked || !reader.TryReadVarInt(out ulong id) || !reader.TryReadVarInt(out ulong value))
            return false;
        frame = new StreamDataBlockedFrame(new StreamId(id), value);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => 1 + VarInt.Length(StreamId.Value) + VarInt.Length(Limit);

    /// <summary>Writes type and fields.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(FrameType.StreamDataBlocked);
        writer.WriteVarInt(StreamId.Value);
        writer.WriteVarInt(Limit);
    }
}
