using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>MAX_PATH_ID (draft-ietf-quic-multipath-21 §4.6): the largest path id that the receiver of the frame may use.</summary>
/// <param name="Maximum">A value that is not larger than an earlier one means nothing.</param>
internal readonly record struct MaxPathIdFrame(PathId Maximum)
{
    /// <summary>Reads the field behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out MaxPathIdFrame frame)
    {
        frame = default;
        if (type != FrameType.MaxPathId || !PathIdField.TryRead(ref reader, out PathId value))
            return false;
        frame = new MaxPathIdFrame(value);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => VarInt.Length(FrameType.MaxPathId) + VarInt.Length(Maximum.Value);

    /// <summary>Writes type and field.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(FrameType.MaxPathId);
        writer.WriteVarInt(Maximum.Value);
    }
}
