using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>PATH_NEW_CONNECTION_ID (draft-ietf-quic-multipath-21 §4.4): one more id under which the sender can be reached on a path.</summary>
/// <param name="Path">The only path that may use the id.</param>
/// <param name="Issued">The id with its sequence number, which counts the ids of the path from 0, and its reset token.</param>
internal readonly record struct PathNewConnectionIdFrame(PathId Path, NewConnectionIdFrame Issued)
{
    /// <summary>Reads the fields behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out PathNewConnectionIdFrame frame)
    {
        frame = default;
        if (type != FrameType.PathNewConnectionId
            || !PathIdField.TryRead(ref reader, out PathId path)
            || !NewConnectionIdFrame.TryReadFields(ref reader, out NewConnectionIdFrame issued))
            return false;
        frame = new PathNewConnectionIdFrame(path, issued);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => VarInt.Length(FrameType.PathNewConnectionId) + VarInt.Length(Path.Value) + Issued.FieldsLength;

    /// <summary>Writes type and fields.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(FrameType.PathNewConnectionId);
        writer.WriteVarInt(Path.Value);
        Issued.WriteFields(ref writer);
    }
}
