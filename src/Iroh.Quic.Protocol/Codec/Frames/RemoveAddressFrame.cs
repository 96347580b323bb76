namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>REMOVE_ADDRESS of iroh's NAT traversal: the server is no longer reachable at an address it had added.</summary>
/// <param name="SequenceNumber">That of the ADD_ADDRESS.</param>
internal readonly record struct RemoveAddressFrame(ulong SequenceNumber)
{
    /// <summary>Reads the field behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out RemoveAddressFrame frame)
    {
        frame = default;
        if (type != FrameType.RemoveAddress || !reader.TryReadVarInt(out ulong value))
            return false;
        frame = new RemoveAddressFrame(value);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => VarInt.Length(FrameType.RemoveAddress) + VarInt.Length(SequenceNumber);

    /// <summary>Writes type and field.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(FrameType.RemoveAddress);
        writer.WriteVarInt(SequenceNumber);
    }
}
