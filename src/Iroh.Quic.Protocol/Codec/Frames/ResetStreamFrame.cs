using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>RESET_STREAM (RFC 9000 §19.4): the sender gives the stream up.</summary>
/// <param name="StreamId">The stream.</param>
/// <param name="ErrorCode">The application's reason, 0 to 2^62-1.</param>
/// <param name="FinalSize">The size of the stream in bytes, 0 to 2^62-1.</param>
internal readonly record struct ResetStreamFrame(StreamId StreamId, ulong ErrorCode, ulong FinalSize)
{
    /// <summary>Reads the fields behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out ResetStreamFrame frame)
    {
        frame = default;
        if (type != FrameType.ResetStream
            || !reader.TryReadVarInt(out ulong id)
            || !reader.TryReadVarInt(out ulong errorCode)
            || !reader.TryReadVarInt(out ulong finalSize))
            return false;
        frame = new ResetStreamFrame(new StreamId(id), errorCode, finalSize);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => 1 + VarInt.Length(StreamId.Value) + VarInt.Length(ErrorCode) + VarInt.Length(FinalSize);

    /// <summary>Writes type and fields.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(FrameType.ResetStream);
        writer.WriteVarInt(StreamId.Value);
        writer.WriteVarInt(ErrorCode);
        writer.WriteVarInt(FinalSize);
    }
}
