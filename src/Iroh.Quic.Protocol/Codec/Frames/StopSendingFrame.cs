using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>STOP_SENDING (RFC 9000 §19.5): the receiver no longer wants the stream.</summary>
/// <param name="StreamId">The stream.</param>
/// <param name="ErrorCode">The application's reason, 0 to 2^62-1.</param>
internal readonly record struct StopSendingFrame(StreamId StreamId, ulong ErrorCode)
{
    /// <summary>Reads the fields behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out StopSendingFrame frame)
    {
        frame = default;
        if (type != FrameType.StopSending || !reader.TryReadVarInt(out ulong id) || !reader.TryReadVarInt(out ulong errorCode))
            return false;
        frame = new StopSendingFrame(new StreamId(id), errorCode);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => 1 + VarInt.Length(StreamId.Value) + VarInt.Length(ErrorCode);

    /// <summary>Writes type and fields.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(FrameType.StopSending);
        writer.WriteVarInt(StreamId.Value);
        writer.WriteVarInt(ErrorCode);
    }
}
