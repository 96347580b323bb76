using System.Buffers.Binary;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>PATH_RESPONSE (RFC 9000 §19.18): the answer to a PATH_CHALLENGE with the same data.</summary>
/// <param name="Data">The eight bytes, read as a big-endian number.</param>
internal readonly record struct PathResponseFrame(ulong Data)
{
    /// <summary>Bytes on the wire, type included.</summary>
    public const int EncodedLength = 1 + sizeof(ulong);

    /// <summary>Reads the field behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out PathResponseFrame frame)
    {
        frame = default;
        if (type != FrameType.PathResponse || !reader.TryReadBytes(sizeof(ulong), out ReadOnlySpan<byte> data))
            return false;
        frame = new PathResponseFrame(BinaryPrimitives.ReadUInt64BigEndian(data));
        return true;
    }

    /// <summary>Writes type and field.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(FrameType.PathResponse);
        BinaryPrimitives.WriteUInt64BigEndian(writer.Rest, Data);
        writer.Advance(sizeof(ulong));
    }
}
