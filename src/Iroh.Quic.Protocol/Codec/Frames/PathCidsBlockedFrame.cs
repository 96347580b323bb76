using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>PATH_CIDS_BLOCKED (draft-ietf-quic-multipath-21 §4.7): the sender has no connection id of the receiver's for a path.</summary>
/// <param name="Path">Which path.</param>
/// <param name="NextSequenceNumber">The sequence number of the first id that the sender has not got, 0 to 2^62-1.</param>
internal readonly record struct PathCidsBlockedFrame(PathId Path, ulong NextSequenceNumber)
{
    /// <summary>Reads the fields behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out PathCidsBlockedFrame frame)
    {
        frame = default;
        if (type != FrameType.PathCidsBlocked
            || !PathIdField.TryRead(ref reader, out PathId path)
            || !reader.TryReadVarInt(out ulong sequenceNumber))
            return false;
        frame = new PathCidsBlockedFrame(path, sequenceNumber);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength =>
        VarInt.Length(FrameType.PathCidsBlocked) + VarInt.Length(Path.Value) + VarInt.Length(NextSequenceNumber);

    /// <summary>Writes type and fields.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(FrameType.PathCidsBlocked);
        writer.WriteVarInt(Path.Value);
        writer.WriteVarInt(NextSequenceNumber);
    }
}
