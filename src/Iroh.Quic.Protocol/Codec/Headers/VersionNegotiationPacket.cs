using System.Buffers.Binary;

namespace Iroh.Quic.Protocol.Codec.Headers;

/// <summary>Version Negotiation packets (RFC 9000 §17.2.1, RFC 8999 §6).</summary>
internal static class VersionNegotiationPacket
{
    /// <summary>Bytes of a packet that lists the given number of versions.</summary>
    public static int EncodedLength(int destinationIdLength, int sourceIdLength, int versionCount) =>
        1 + sizeof(uint) + 1 + destinationIdLength + 1 + sourceIdLength + (versionCount * sizeof(uint));

    /// <summary>Writes the answer to a packet of a version that is not spoken here.</summary>
    /// <param name="writer">At least <see cref="EncodedLength"/> bytes.</param>
    /// <param name="randomByte">Seven bits of it go into the first byte, where they mean nothing.</param>
    /// <param name="destinationId">The client's source id, up to 255 bytes.</param>
    /// <param name="sourceId">The client's destination id, up to 255 bytes.</param>
    /// <param name="versions">Those spoken here, and perhaps a reserved one.</param>
    public static void Write(
        ref WireWriter writer,
        byte randomByte,
        scoped ReadOnlySpan<byte> destinationId,
        scoped ReadOnlySpan<byte> sourceId,
        scoped ReadOnlySpan<uint> versions)
    {
        // RFC 9000 §17.2.1: the fixed bit SHOULD be 1, for those who share the port with other protocols.
        writer.WriteByte((byte)(PacketHeader.LongBit | PacketHeader.FixedBit | randomByte));
        writer.WriteUInt32(QuicVersion.Negotiation);
        LongHeader.WriteIds(ref writer, destinationId, sourceId);
        foreach (uint version in versions)
            writer.WriteUInt32(version);
    }

    /// <summary>Whether a received packet lists <paramref name="version"/>. Bytes behind the last whole entry are ignored.</summary>
    /// <param name="datagram">The datagram that <paramref name="header"/> was read from.</param>
    /// <param name="header">Of a Version Negotiation packet.</param>
    /// <param name="version">The one to look for.</param>
    public static bool Lists(ReadOnlySpan<byte> datagram, in ParsedHeader header, uint version)
    {
        ReadOnlySpan<byte> list = datagram[header.PacketNumberOffset..];
        for (; list.Length >= sizeof(uint); list = list[sizeof(uint)..])
        {
            if (BinaryPrimitives.ReadUInt32BigEndian(list) == version)
                return true;
        }

        return false;
    }
}
