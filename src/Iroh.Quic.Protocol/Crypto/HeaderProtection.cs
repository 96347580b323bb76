using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec.Headers;

namespace Iroh.Quic.Protocol.Crypto;

/// <summary>Masks and unmasks the first byte and the packet number (RFC 9001 §5.4).</summary>
internal static class HeaderProtection
{
    /// <summary>Bytes from the start of the packet number to the end of the sample: a packet has at least as many there.</summary>
    public const int SampleEnd = PacketNumberCodec.LengthMax + HeaderProtectionKey.SampleLength;

    private const byte LongMaskedBits = 0x0f;
    private const byte ShortMaskedBits = 0x1f;

    /// <summary>Masks the header of a sealed packet.</summary>
    /// <param name="key">Of the sending direction.</param>
    /// <param name="packet">At least <see cref="SampleEnd"/> bytes from the packet number on.</param>
    /// <param name="packetNumberOffset">Where the packet number is.</param>
    /// <param name="packetNumberLength">1 to 4.</param>
    public static void Apply(HeaderProtectionKey key, Span<byte> packet, int packetNumberOffset, int packetNumberLength)
    {
        Span<byte> mask = stackalloc byte[HeaderProtectionKey.MaskLength];
        key.ComputeMask(Sample(packet, packetNumberOffset), mask);
        packet[0] ^= (byte)(mask[0] & MaskedBits(packet[0]));
        Span<byte> number = packet.Slice(packetNumberOffset, packetNumberLength);
        for (int i = 0; i < number.Length; i++)
            number[i] ^= mask[i + 1];
    }

    /// <summary>Unmasks the header of a received packet. False for one that is too short, which is dropped.</summary>
    /// <param name="key">Of the receiving direction.</param>
    /// <param name="packet">Exactly the packet, without what follows it in the datagram.</param>
    /// <param name="packetNumberOffset">Where the packet number is.</param>
    /// <param name="packetNumberLength">Its length, 1 to 4.</param>
    /// <param name="truncated">The packet number as on the wire, for <see cref="PacketNumberCodec.Decode"/>.</param>
    public static bool TryRemove(
        HeaderProtectionKey key, Span<byte> packet, int packetNumberOffset, out int packetNumberLength, out ulong truncated)
    {
        packetNumberLength = 0;
        truncated = 0;
        // RFC 9001 §5.4.2: a packet without a whole sample is discarded.
        if (packet.Length - packetNumberOffset < SampleEnd)
            return false;
        Span<byte> mask = stackalloc byte[HeaderProtectionKey.MaskLength];
        key.ComputeMask(Sample(packet, packetNumberOffset), mask);
        packet[0] ^= (byte)(mask[0] & MaskedBits(packet[0]));
        packetNumberLength = PacketHeader.PacketNumberLength(packet[0]);
        Span<byte> number = packet.Slice(packetNumberOffset, packetNumberLength);
        for (int i = 0; i < number.Length; i++)
        {
            number[i] ^= mask[i + 1];
            truncated = (truncated << 8) | number[i];
        }

        return true;
    }

    // RFC 9001 §5.4.2: the sample is where it would be behind a packet number of four bytes.
    private static ReadOnlySpan<byte> Sample(ReadOnlySpan<byte> packet, int packetNumberOffset) =>
        packet.Slice(packetNumberOffset + PacketNumberCodec.LengthMax, HeaderProtectionKey.SampleLength);

    private static byte MaskedBits(byte firstByte) =>
        (firstByte & PacketHeader.LongBit) != 0 ? LongMaskedBits : ShortMaskedBits;
}
