using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Headers;

/// <summary>
/// Retry packets (RFC 9000 §17.2.5) and their integrity tag (RFC 9001 §5.8), which shows that the sender saw the client's
/// Initial. <see cref="PacketHeader"/> reads the token.
/// </summary>
internal static class RetryPacket
{
    private static ReadOnlySpan<byte> Key =>
        [0xbe, 0x0c, 0x69, 0x0b, 0x9f, 0x66, 0x57, 0x5a, 0x1d, 0x76, 0x6b, 0x54, 0xe3, 0x68, 0xc8, 0x4e];

    private static ReadOnlySpan<byte> Nonce =>
        [0x46, 0x15, 0x99, 0xd3, 0x5d, 0x63, 0x2b, 0xf2, 0x23, 0x98, 0x25, 0xbb];

    /// <summary>Bytes of a packet with a token of <paramref name="tokenLength"/> bytes.</summary>
    public static int EncodedLength(int destinationIdLength, int sourceIdLength, int tokenLength) =>
        1 + sizeof(uint) + 1 + destinationIdLength + 1 + sourceIdLength + tokenLength + PacketHeader.TagLength;

    /// <summary>Writes a whole packet with its tag.</summary>
    /// <param name="writer">At its start, with at least <see cref="EncodedLength"/> bytes.</param>
    /// <param name="randomByte">Four bits of it go into the first byte, where they mean nothing.</param>
    /// <param name="destinationId">The client's source id.</param>
    /// <param name="sourceId">The id that the client's next Initial goes to.</param>
    /// <param name="originalDestinationId">Where the client's first Initial went to.</param>
    /// <param name="token">At least one byte.</param>
    public static void Write(
        ref WireWriter writer,
        byte randomByte,
        in ConnectionId destinationId,
        in ConnectionId sourceId,
        in ConnectionId originalDestinationId,
        scoped ReadOnlySpan<byte> token)
    {
        int start = writer.Position;
        writer.WriteByte((byte)(PacketHeader.LongBit | PacketHeader.FixedBit | ((int)PacketType.Retry << 4) | (randomByte & 0x0f)));
        writer.WriteUInt32(QuicVersion.V1);
        LongHeader.WriteIds(ref writer, destinationId.Span, sourceId.Span);
        writer.WriteBytes(token);
        ComputeTag(writer.Written[start..], originalDestinationId, writer.Rest[..PacketHeader.TagLength]);
        writer.Advance(PacketHeader.TagLength);
    }

    /// <summary>Computes the integrity tag.</summary>
    /// <param name="packetWithoutTag">The packet up to its tag.</param>
    /// <param name="originalDestinationId">Where the client's first Initial went to.</param>
    /// <param name="tag">Receives <see cref="PacketHeader.TagLength"/> bytes.</param>
    public static void ComputeTag(ReadOnlySpan<byte> packetWithoutTag, in ConnectionId originalDestinationId, Span<byte> tag)
    {
        byte[] pseudoPacket = PseudoPacket(packetWithoutTag, originalDestinationId);
        using var key = new AeadKey(AeadAlgorithm.Aes128Gcm, Key);
        key.Seal(Nonce, pseudoPacket, [], tag);
    }

    /// <summary>Whether a received Retry was made for our first Initial; if not, it is dropped (RFC 9000 §17.2.5.2).</summary>
    /// <param name="packet">The whole packet, as <see cref="PacketHeader.TryParse"/> accepted it.</param>
    /// <param name="originalDestinationId">Where our first Initial went to.</param>
    public static bool HasValidTag(ReadOnlySpan<byte> packet, in ConnectionId originalDestinationId)
    {
        byte[] pseudoPacket = PseudoPacket(packet[..^PacketHeader.TagLength], originalDestinationId);
        using var key = new AeadKey(AeadAlgorithm.Aes128Gcm, Key);
        return key.TryOpen(Nonce, pseudoPacket, [], packet[^PacketHeader.TagLength..]);
    }

    /// <summary>RFC 9001 §5.8, figure 8. A connection sees at most one Retry, so the array is no cost that matters.</summary>
    private static byte[] PseudoPacket(ReadOnlySpan<byte> packetWithoutTag, in ConnectionId originalDestinationId)
    {
        byte[] pseudoPacket = new byte[1 + originalDestinationId.Length + packetWithoutTag.Length];
        pseudoPacket[0] = (byte)originalDestinationId.Length;
        originalDestinationId.Span.CopyTo(pseudoPacket.AsSpan(1));
        packetWithoutTag.CopyTo(pseudoPacket.AsSpan(1 + originalDestinationId.Length));
        return pseudoPacket;
    }
}
