using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>PATHS_BLOCKED (draft-ietf-quic-multipath-21 §4.7): the sender would open a path, and the limit on path ids does not allow it.</summary>
/// <param name="Limit">The largest path id that the sender may use.</param>
internal readonly record struct PathsBlockedFrame(PathId Limit)
{
    /// <summary>Reads the field behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out PathsBlockedFrame frame)
    {
        frame = default;
        if (type != FrameType.PathsBlocked || !PathIdField.TryRead(ref reader, out PathId value))
            return false;
        frame = new PathsBlockedFrame(value);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => VarInt.Length(FrameType.PathsBlocked) + VarInt.Length(Limit.Value);

    /// <summary>Writes type and field.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(FrameType.PathsBlocked);
        writer.WriteVarInt(Limit.Value);
    }
}
