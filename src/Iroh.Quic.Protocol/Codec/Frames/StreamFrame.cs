using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>STREAM in all its eight forms (RFC 9000 §19.8). Points into the packet's buffer.</summary>
internal readonly ref struct StreamFrame
{
    /// <summary>A frame of these fields; the data stays the caller's.</summary>
    /// <param name="streamId">The stream.</param>
    /// <param name="offset">Offset + length is at most 2^62-1.</param>
    /// <param name="data">The bytes at that offset; may be empty.</param>
    /// <param name="fin">Whether the stream ends behind the data.</param>
    /// <param name="hasLength">False only for the last frame of a packet: the data then runs to the packet's end.</param>
    public StreamFrame(StreamId streamId, ulong offset, ReadOnlySpan<byte> data, bool fin, bool hasLength = true)
    {
        StreamId = streamId;
        Offset = offset;
        Data = data;
        Fin = fin;
        HasLength = hasLength;
    }

    /// <summary>The stream.</summary>
    public StreamId StreamId { get; }

    /// <summary>Where the data begins in the stream.</summary>
    public ulong Offset { get; }

    /// <summary>The bytes; may be empty.</summary>
    public ReadOnlySpan<byte> Data { get; }

    /// <summary>Whether the stream ends behind the data.</summary>
    public bool Fin { get; }

    /// <summary>Whether the frame has a Length field.</summary>
    public bool HasLength { get; }

    /// <summary>The offset behind the data, at most 2^62-1.</summary>
    public ulong End => Offset + (ulong)Data.Length;

    /// <summary>Reads the fields behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out StreamFrame frame)
    {
        frame = default;
        ulong offset = 0;
        bool hasLength = (type & FrameType.StreamLengthBit) != 0;
        if (!FrameType.IsStream(type)
            || !reader.TryReadVarInt(out ulong id)
            || ((type & FrameType.StreamOffsetBit) != 0 && !reader.TryReadVarInt(out offset)))
            return false;

        ReadOnlySpan<byte> data;
        if (hasLength ? !reader.TryReadVarIntPrefixed(out data) : !reader.TryReadBytes((ulong)reader.Remaining, out data))
            return false;
        if (offset + (ulong)data.Length > VarInt.Max) // RFC 9000 §19.8: MUST be refused.
            return false;
        frame = new StreamFrame(new StreamId(id), offset, data, (type & FrameType.StreamFinBit) != 0, hasLength);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => HeaderLength(StreamId, Offset, Data.Length, HasLength) + Data.Length;

    /// <summary>Writes type, fields and data.</summary>
    public void Write(ref WireWriter writer)
    {
        WriteHeader(ref writer, StreamId, Offset, Data.Length, Fin, HasLength);
        writer.WriteBytes(Data);
    }

    /// <summary>Bytes before the data.</summary>
    public static int HeaderLength(StreamId streamId, ulong offset, int dataLength, bool hasLength) =>
        1 + VarInt.Length(streamId.Value)
        + (offset == 0 ? 0 : VarInt.Length(offset))
        + (hasLength ? VarInt.Length((ulong)dataLength) : 0);

    /// <summary>Writes what comes before the data; the caller then writes exactly <paramref name="dataLength"/> bytes.</summary>
    public static void WriteHeader(
        ref WireWriter writer, StreamId streamId, ulong offset, int dataLength, bool fin, bool hasLength)
    {
        writer.WriteVarInt(FrameType.Stream
            | (offset == 0 ? 0 : FrameType.StreamOffsetBit)
            | (hasLength ? FrameType.StreamLengthBit : 0)
            | (fin ? FrameType.StreamFinBit : 0));
        writer.WriteVarInt(streamId.Value);
        if (offset != 0)
            writer.WriteVarInt(offset);
        if (hasLength)
            writer.WriteVarInt((ulong)dataLength);
    }

    /// <summary>How many bytes of data fit with a header that has a Length field into <paramref name="space"/> bytes; 0 if none.</summary>
    public static int DataLengthMax(StreamId streamId, ulong offset, int space) =>
        LengthPrefix.DataLengthMax(space - 1 - VarInt.Length(streamId.Value) - (offset == 0 ? 0 : VarInt.Length(offset)));
}
