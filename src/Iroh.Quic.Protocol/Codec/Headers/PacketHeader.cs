using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Headers;

/// <summary>Reads the unprotected part of long and short headers (RFC 9000 §17).</summary>
internal static class PacketHeader
{
    /// <summary>Header form: set for a long header.</summary>
    public const byte LongBit = 0x80;

    /// <summary>The fixed bit. iroh drops packets in which it is 0, and so do we: such bytes are no QUIC (RFC 9000 §17.2).</summary>
    public const byte FixedBit = 0x40;

    /// <summary>Reserved bits of a long header, 0 once the protection is removed.</summary>
    public const byte LongReservedBits = 0x0c;

    /// <summary>Reserved bits of a short header, 0 once the protection is removed.</summary>
    public const byte ShortReservedBits = 0x18;

    /// <summary>The latency spin bit of a short header (RFC 9000 §17.4).</summary>
    public const byte SpinBit = 0x20;

    /// <summary>The key phase of a short header (RFC 9001 §6).</summary>
    public const byte KeyPhaseBit = 0x04;

    /// <summary>The bits that hold the length of the packet number minus 1.</summary>
    public const byte PacketNumberLengthBits = 0x03;

    /// <summary>Bytes of an AEAD tag, and of the integrity tag at the end of a Retry.</summary>
    public const int TagLength = AeadKey.TagLength;

    private const int LongTypeShift = 4;

    /// <summary>
    /// Reads the header of the packet at the start of <paramref name="datagram"/>. False for whatever cannot be QUIC as spoken
    /// here: a fixed bit of 0 (but in Version Negotiation, where the bit means nothing), ids or lengths that leave the datagram.
    /// Such bytes are dropped without an answer.
    /// </summary>
    /// <param name="datagram">What is left of a UDP datagram.</param>
    /// <param name="localIdLength">Length of the ids that this endpoint issues, 0 to 20: a short header does not say it.</param>
    /// <param name="header">Points into <paramref name="datagram"/>.</param>
    public static bool TryParse(ReadOnlySpan<byte> datagram, int localIdLength, out ParsedHeader header)
    {
        header = default;
        if (datagram.IsEmpty)
            return false;
        return (datagram[0] & LongBit) == 0
            ? TryParseShort(datagram, localIdLength, out header)
            : TryParseLong(datagram, out header);
    }

    /// <summary>Whether a reserved bit is set: a PROTOCOL_VIOLATION once the packet has been authenticated (RFC 9000 §17.2, §17.3.1).</summary>
    /// <param name="firstByte">With the protection removed.</param>
    public static bool HasReservedBits(byte firstByte) =>
        (firstByte & ((firstByte & LongBit) != 0 ? LongReservedBits : ShortReservedBits)) != 0;

    /// <summary>Bytes of the packet number, 1 to 4.</summary>
    /// <param name="firstByte">With the protection removed.</param>
    public static int PacketNumberLength(byte firstByte) => (firstByte & PacketNumberLengthBits) + 1;

    private static bool TryParseShort(ReadOnlySpan<byte> datagram, int localIdLength, out ParsedHeader header)
    {
        header = default;
        if ((datagram[0] & FixedBit) == 0 || datagram.Length < 1 + localIdLength)
            return false;
        header = new ParsedHeader
        {
            Type = PacketType.OneRtt,
            Version = QuicVersion.V1,
            DestinationIdBytes = datagram.Slice(1, localIdLength),
            PacketNumberOffset = 1 + localIdLength,
            PacketLength = datagram.Length,
        };
        return true;
    }

    private static bool TryParseLong(ReadOnlySpan<byte> datagram, out ParsedHeader header)
    {
        header = default;
        var reader = new WireReader(datagram);
        if (!reader.TryReadByte(out byte first)
            || !reader.TryReadUInt32(out uint version)
            || !TryReadId(ref reader, out ReadOnlySpan<byte> destinationId)
            || !TryReadId(ref reader, out ReadOnlySpan<byte> sourceId))
            return false;

        // RFC 9000 §17.2.1: the bits of a Version Negotiation packet below the first have no meaning.
        if (version != QuicVersion.Negotiation && (first & FixedBit) == 0)
            return false;
        // RFC 9000 §17.2: ids above 20 bytes are dropped in version 1; in other versions they are needed to negotiate.
        bool idsFit = destinationId.Length <= ConnectionId.MaxLength && sourceId.Length <= ConnectionId.MaxLength;
        if (!idsFit && version is QuicVersion.Negotiation or QuicVersion.V1)
            return false;

        PacketType type = version switch
        {
            QuicVersion.Negotiation => PacketType.VersionNegotiation,
            QuicVersion.V1 => (PacketType)((first >> LongTypeShift) & 3),
            _ => PacketType.UnknownVersion,
        };
        ReadOnlySpan<byte> token = default;
        int packetNumberOffset;
        int packetLength = datagram.Length;
        switch (type)
        {
            case PacketType.VersionNegotiation:
            case PacketType.UnknownVersion:
                packetNumberOffset = reader.Position;
                break;
            case PacketType.Retry:
                // RFC 9000 §17.2.5: everything between the ids and the tag is the token; §17.2.5.2: an empty one is discarded.
                if (reader.Remaining <= TagLength || !reader.TryReadBytes((ulong)(reader.Remaining - TagLength), out token))
                    return false;
                packetNumberOffset = reader.Position;
                break;
            default:
                if (type == PacketType.Initial && !reader.TryReadVarIntPrefixed(out token))
                    return false;
                if (!reader.TryReadVarInt(out ulong length) || length > (ulong)reader.Remaining)
                    return false;
                packetNumberOffset = reader.Position;
                packetLength = packetNumberOffset + (int)length;
                break;
        }

        header = new ParsedHeader
        {
            Type = type,
            Version = version,
            DestinationIdBytes = destinationId,
            SourceIdBytes = sourceId,
            Token = token,
            PacketNumberOffset = packetNumberOffset,
            PacketLength = packetLength,
        };
        return true;
    }

    private static bool TryReadId(scoped ref WireReader reader, out ReadOnlySpan<byte> id)
    {
        id = default;
        return reader.TryReadByte(out byte length) && reader.TryReadBytes(length, out id);
    }
}
