namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>CRYPTO (RFC 9000 §19.6): a piece of the handshake's byte stream of one encryption level. Points into the packet's buffer.</summary>
internal readonly ref struct CryptoFrame
{
    /// <summary>A frame of these fields; the data stays the caller's.</summary>
    /// <param name="offset">Offset + length is at most 2^62-1.</param>
    /// <param name="data">The bytes at that offset.</param>
    public CryptoFrame(ulong offset, ReadOnlySpan<byte> data)
    {
        Offset = offset;
        Data = data;
    }

    /// <summary>Where the data begins in the level's stream.</summary>
    public ulong Offset { get; }

    /// <summary>The bytes.</summary>
    public ReadOnlySpan<byte> Data { get; }

    /// <summary>Reads the fields behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out CryptoFrame frame)
    {
        frame = default;
        if (type != FrameType.Crypto
            || !reader.TryReadVarInt(out ulong offset)
            || !reader.TryReadVarIntPrefixed(out ReadOnlySpan<byte> data)
            || offset + (ulong)data.Length > VarInt.Max) // RFC 9000 §19.6: MUST be refused.
            return false;
        frame = new CryptoFrame(offset, data);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => HeaderLength(Offset, Data.Length) + Data.Length;

    /// <summary>Writes type, fields and data.</summary>
    public void Write(ref WireWriter writer)
    {
        WriteHeader(ref writer, Offset, Data.Length);
        writer.WriteBytes(Data);
    }

    /// <summary>Bytes before the data.</summary>
    public static int HeaderLength(ulong offset, int dataLength) => 1 + VarInt.Length(offset) + VarInt.Length((ulong)dataLength);

    /// <summary>Writes what comes before the data; the caller then writes exactly <paramref name="dataLength"/> bytes.</summary>
    public static void WriteHeader(ref WireWriter writer, ulong offset, int dataLength)
    {
        writer.WriteVarInt(FrameType.Crypto);
        writer.WriteVarInt(offset);
        writer.WriteVarInt((ulong)dataLength);
    }

    /// <summary>How many bytes of data fit with their header into <paramref name="space"/> bytes; 0 if none.</summary>
    public static int DataLengthMax(ulong offset, int space) => LengthPrefix.DataLengthMax(space - 1 - VarInt.Length(offset));
}
