namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>
/// PORT_SEARCH, an extension of our own (docs/decisions/0013-port-search.md): the sender's NAT maps by destination and its sockets wait for
/// the receiver to find one of their ports.
/// </summary>
/// <param name="Round">Counts the sender's searches from 1. The frame is repeated as long as the search goes on.</param>
internal readonly record struct PortSearchFrame(ulong Round)
{
    /// <summary>Reads the field behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out PortSearchFrame frame)
    {
        frame = default;
        if (type != FrameType.PortSearch || !reader.TryReadVarInt(out ulong value))
            return false;
        frame = new PortSearchFrame(value);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => VarInt.Length(FrameType.PortSearch) + VarInt.Length(Round);

    /// <summary>Writes type and field.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(FrameType.PortSearch);
        writer.WriteVarInt(Round);
    }
}
