using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>PATH_STATUS_AVAILABLE or PATH_STATUS_BACKUP (draft-ietf-quic-multipath-21 §4.3): how the sender would like a path to be used.</summary>
/// <param name="Path">Which one.</param>
/// <param name="SequenceNumber">Counts the sender's statuses of the path from 1; the largest one holds.</param>
/// <param name="IsBackup">Whether the path should carry data only when no other can.</param>
internal readonly record struct PathStatusFrame(PathId Path, ulong SequenceNumber, bool IsBackup)
{
    /// <summary>Reads the fields behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out PathStatusFrame frame)
    {
        frame = default;
        if (type is not (FrameType.PathStatusAvailable or FrameType.PathStatusBackup)
            || !PathIdField.TryRead(ref reader, out PathId path)
            || !reader.TryReadVarInt(out ulong sequenceNumber))
            return false;
        frame = new PathStatusFrame(path, sequenceNumber, type == FrameType.PathStatusBackup);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => VarInt.Length(Type) + VarInt.Length(Path.Value) + VarInt.Length(SequenceNumber);

    private ulong Type => IsBackup ? FrameType.PathStatusBackup : FrameType.PathStatusAvailable;

    /// <summary>Writes type and fields.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(Type);
        writer.WriteVarInt(Path.Value);
        writer.WriteVarInt(SequenceNumber);
    }
}
