using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Headers;

/// <summary>
/// Writes long headers of packets that have a packet number (RFC 9000 §17.2). The Length field is reserved with
/// <see cref="LengthFieldLength"/> bytes and patched when the packet is complete.
/// </summary>
internal static class LongHeader
{
    /// <summary>Bytes of the Length field: enough for every packet up to 16 KiB, and the form that other stacks write too.</summary>
    public const int LengthFieldLength = 2;

    /// <summary>Bytes of the whole header, packet number included.</summary>
    /// <param name="type">Initial or Handshake; only an Initial has a token field.</param>
    /// <param name="destinationIdLength">0 to 20.</param>
    /// <param name="sourceIdLength">0 to 20.</param>
    /// <param name="tokenLength">0 for Handshake.</param>
    /// <param name="packetNumberLength">1 to 4.</param>
    public static int EncodedLength(
        PacketType type, int destinationIdLength, int sourceIdLength, int tokenLength, int packetNumberLength) =>
        1 + sizeof(uint) + 1 + destinationIdLength + 1 + sourceIdLength
        + (type == PacketType.Initial ? VarInt.Length((ulong)tokenLength) + tokenLength : 0)
        + LengthFieldLength + packetNumberLength;

    /// <summary>Writes the header up to and with the packet number.</summary>
    /// <param name="writer">Where the packet begins.</param>
    /// <param name="type">Initial or Handshake.</param>
    /// <param name="destinationId">The peer's id.</param>
    /// <param name="sourceId">Ours.</param>
    /// <param name="token">For an Initial, otherwise empty.</param>
    /// <param name="packetNumber">The full number.</param>
    /// <param name="packetNumberLength">1 to 4, see <see cref="PacketNumberCodec.EncodedLength"/>.</param>
    /// <returns>The offset of the packet number from the start of <paramref name="writer"/>.</returns>
    public static int Write(
        ref WireWriter writer,
        PacketType type,
        in ConnectionId destinationId,
        in ConnectionId sourceId,
        scoped ReadOnlySpan<byte> token,
        PacketNumber packetNumber,
        int packetNumberLength)
    {
        writer.WriteByte((byte)(PacketHeader.LongBit | PacketHeader.FixedBit | ((int)type << 4) | (packetNumberLength - 1)));
        writer.WriteUInt32(QuicVersion.V1);
        WriteIds(ref writer, destinationId.Span, sourceId.Span);
        if (type == PacketType.Initial)
            writer.WriteVarIntPrefixed(token);
        writer.WriteVarInt(0, LengthFieldLength);
        int packetNumberOffset = writer.Position;
        PacketNumberCodec.Write(ref writer, packetNumber, packetNumberLength);
        return packetNumberOffset;
    }

    /// <summary>Fills in the Length field.</summary>
    /// <param name="packet">The whole packet with the space of its tag: from the first byte to the last that it will have.</param>
    /// <param name="packetNumberOffset">Within <paramref name="packet"/>.</param>
    public static void PatchLength(Span<byte> packet, int packetNumberOffset)
    {
        int length = packet.Length - packetNumberOffset;
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(length, 1 << 14, nameof(packet));
        var writer = new WireWriter(packet[(packetNumberOffset - LengthFieldLength)..]);
        writer.WriteVarInt((ulong)length, LengthFieldLength);
    }

    internal static void WriteIds(
        ref WireWriter writer, scoped ReadOnlySpan<byte> destinationId, scoped ReadOnlySpan<byte> sourceId)
    {
        writer.WriteByte((byte)destinationId.Length);
        writer.WriteBytes(destinationId);
        writer.WriteByte((byte)sourceId.Length);
        writer.WriteBytes(sourceId);
    }
}
