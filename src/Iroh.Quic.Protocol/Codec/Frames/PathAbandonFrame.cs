using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>PATH_ABANDON (draft-ietf-quic-multipath-21 §4.2): the sender stops using a path and asks the receiver to stop as well.</summary>
/// <param name="Path">Which one.</param>
/// <param name="ErrorCode">Why, 0 to 2^62-1.</param>
internal readonly record struct PathAbandonFrame(PathId Path, ulong ErrorCode)
{
    /// <summary>Reads the fields behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out PathAbandonFrame frame)
    {
        frame = default;
        if (type != FrameType.PathAbandon || !PathIdField.TryRead(ref reader, out PathId path) || !reader.TryReadVarInt(out ulong code))
            return false;
        frame = new PathAbandonFrame(path, code);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => VarInt.Length(FrameType.PathAbandon) + VarInt.Length(Path.Value) + VarInt.Length(ErrorCode);

    /// <summary>Writes type and fields.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(FrameType.PathAbandon);
        writer.WriteVarInt(Path.Value);
        writer.WriteVarInt(ErrorCode);
    }
}
