using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Headers;

/// <summary>Writes short headers (RFC 9000 §17.3).</summary>
internal static class ShortHeader
{
    /// <summary>Bytes of the whole header, packet number included.</summary>
    public static int EncodedLength(int destinationIdLength, int packetNumberLength) => 1 + destinationIdLength + packetNumberLength;

    /// <summary>Writes the header up to and with the packet number.</summary>
    /// <param name="writer">Where the packet begins.</param>
    /// <param name="destinationId">The peer's id.</param>
    /// <param name="spin">The spin bit.</param>
    /// <param name="keyPhase">The key phase bit of the keys that will protect the packet.</param>
    /// <param name="packetNumber">The full number.</param>
    /// <param name="packetNumberLength">1 to 4, see <see cref="PacketNumberCodec.EncodedLength"/>.</param>
    /// <returns>The offset of the packet number from the start of <paramref name="writer"/>.</returns>
    public static int Write(
        ref WireWriter writer,
        in ConnectionId destinationId,
        bool spin,
        bool keyPhase,
        PacketNumber packetNumber,
        int packetNumberLength)
    {
        writer.WriteByte((byte)(PacketHeader.FixedBit
            | (spin ? PacketHeader.SpinBit : 0)
            | (keyPhase ? PacketHeader.KeyPhaseBit : 0)
            | (packetNumberLength - 1)));
        writer.WriteBytes(destinationId.Span);
        int packetNumberOffset = writer.Position;
        PacketNumberCodec.Write(ref writer, packetNumber, packetNumberLength);
        return packetNumberOffset;
    }
}
