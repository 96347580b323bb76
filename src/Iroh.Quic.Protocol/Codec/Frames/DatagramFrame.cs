namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>DATAGRAM (RFC 9221 §4): data of the application that is never sent again. Points into the packet's buffer.</summary>
internal readonly ref struct DatagramFrame
{
    /// <summary>A frame of this data, which stays the caller's.</summary>
    /// <param name="data">The bytes; may be empty.</param>
    /// <param name="hasLength">False only for the last frame of a packet: the data then runs to the packet's end.</param>
    public DatagramFrame(ReadOnlySpan<byte> data, bool hasLength = true)
    {
        Data = data;
        HasLength = hasLength;
    }

    /// <summary>The bytes; may be empty.</summary>
    public ReadOnlySpan<byte> Data { get; }

    /// <summary>Whether the frame has a Length field.</summary>
    public bool HasLength { get; }

    /// <summary>Reads the fields behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out DatagramFrame frame)
    {
        frame = default;
        if (type is not (FrameType.Datagram or FrameType.DatagramWithLength))
            return false;
        bool hasLength = type == FrameType.DatagramWithLength;
        ReadOnlySpan<byte> data;
        if (hasLength ? !reader.TryReadVarIntPrefixed(out data) : !reader.TryReadBytes((ulong)reader.Remaining, out data))
            return false;
        frame = new DatagramFrame(data, hasLength);
        return true;
    }

    /// <summary>Bytes on the wire, type included; this is what max_datagram_frame_size limits (RFC 9221 §3).</summary>
    public int EncodedLength => HeaderLength(Data.Length, HasLength) + Data.Length;

    /// <summary>Writes type, fields and data.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(HasLength ? FrameType.DatagramWithLength : FrameType.Datagram);
        if (HasLength)
            writer.WriteVarInt((ulong)Data.Length);
        writer.WriteBytes(Data);
    }

    /// <summary>Bytes before the data.</summary>
    public static int HeaderLength(int dataLength, bool hasLength) => 1 + (hasLength ? VarInt.Length((ulong)dataLength) : 0);

    /// <summary>How many bytes of data fit with a header that has a Length field into <paramref name="space"/> bytes; 0 if none.</summary>
    public static int DataLengthMax(int space) => LengthPrefix.DataLengthMax(space - 1);
}
