namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>DATA_BLOCKED (RFC 9000 §19.12): the sender has more to say than the connection's limit allows.</summary>
/// <param name="Limit">The limit that holds it back, in bytes, 0 to 2^62-1.</param>
internal readonly record struct DataBlockedFrame(ulong Limit)
{
    /// <summary>Reads the field behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out DataBlockedFrame frame)
    {
        frame = default;
        if (type != FrameType.DataBlocked || !reader.TryReadVarInt(out ulong value))
            return false;
        frame = new DataBlockedFrame(value);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => 1 + VarInt.Length(Limit);

    /// <summary>Writes type and field.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(FrameType.DataBlocked);
        writer.WriteVarInt(Limit);
    }
}
