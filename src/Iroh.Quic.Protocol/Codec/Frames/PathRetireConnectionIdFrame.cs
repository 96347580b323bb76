using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>PATH_RETIRE_CONNECTION_ID (draft-ietf-quic-multipath-21 §4.5): the sender no longer uses one of the receiver's ids on a path.</summary>
/// <param name="Path">The path of the id.</param>
/// <param name="SequenceNumber">Which one, 0 to 2^62-1.</param>
internal readonly record struct PathRetireConnectionIdFrame(PathId Path, ulong SequenceNumber)
{
    /// <summary>Reads the fields behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out PathRetireConnectionIdFrame frame)
    {
        frame = default;
        if (type != FrameType.PathRetireConnectionId
            || !PathIdField.TryRead(ref reader, out PathId path)
            || !reader.TryReadVarInt(out ulong sequenceNumber))
            return false;
        frame = new PathRetireConnectionIdFrame(path, sequenceNumber);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength =>
        VarInt.Length(FrameType.PathRetireConnectionId) + VarInt.Length(Path.Value) + VarInt.Length(SequenceNumber);

    /// <summary>Writes type and fields.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(FrameType.PathRetireConnectionId);
        writer.WriteVarInt(Path.Value);
        writer.WriteVarInt(SequenceNumber);
    }
}
