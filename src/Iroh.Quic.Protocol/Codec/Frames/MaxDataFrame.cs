namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>MAX_DATA (RFC 9000 §19.9): how many bytes all streams together may carry.</summary>
/// <param name="Maximum">Bytes since the start of the connection, 0 to 2^62-1.</param>
internal readonly record struct MaxDataFrame(ulong Maximum)
{
    /// <summary>Reads the field behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out MaxDataFrame frame)
    {
        frame = default;
        if (type != FrameType.MaxData || !reader.TryReadVarInt(out ulong value))
            return false;
        frame = new MaxDataFrame(value);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => 1 + VarInt.Length(Maximum);

    /// <summary>Writes type and field.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(FrameType.MaxData);
        writer.WriteVarInt(Maximum);
    }
}
