using System.Buffers.Binary;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>PATH_CHALLENGE (RFC 9000 §19.17): asks for a PATH_RESPONSE with the same data.</summary>
/// <param name="Data">The eight bytes, read as a big-endian number.</param>
internal readonly record struct PathChallengeFrame(ulong Data)
{
    /// <summary>Bytes on the wire, type included.</summary>
    public const int EncodedLength = 1 + sizeof(ulong);

    /// <summary>Reads the field behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out PathChallengeFrame frame)
    {
        frame = default;
        if (type != FrameType.PathChallenge || !reader.TryReadBytes(sizeof(ulong), out ReadOnlySpan<byte> data))
            return false;
        frame = new PathChallengeFrame(BinaryPrimitives.ReadUInt64BigEndian(data));
        return true;
    }

    /// <summary>Writes type and field.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(FrameType.PathChallenge);
        BinaryPrimitives.WriteUInt64BigEndian(writer.Rest, Data);
        writer.Advance(sizeof(ulong));
    }
}
