namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>RETIRE_CONNECTION_ID (RFC 9000 §19.16): the sender no longer uses one of the receiver's connection ids.</summary>
/// <param name="SequenceNumber">Which one, 0 to 2^62-1.</param>
internal readonly record struct RetireConnectionIdFrame(ulong SequenceNumber)
{
    /// <summary>Reads the field behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out RetireConnectionIdFrame frame)
    {
        frame = default;
        if (type != FrameType.RetireConnectionId || !reader.TryReadVarInt(out ulong value))
            return false;
        frame = new RetireConnectionIdFrame(value);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => 1 + VarInt.Length(SequenceNumber);

    /// <summary>Writes type and field.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(FrameType.RetireConnectionId);
        writer.WriteVarInt(SequenceNumber);
    }
}
