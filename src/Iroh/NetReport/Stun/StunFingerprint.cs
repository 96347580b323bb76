namespace Iroh.NetReport.Stun;

/// <summary>The check sum at the end of a STUN message (RFC 8489 §14.7): CRC-32 of ISO 3309, mixed with "STUN".</summary>
internal static class StunFingerprint
{
    private const uint Mask = 0x5354554e;

    private static readonly uint[] s_table = [.. Enumerable.Range(0, 256).Select(value => Divide((uint)value, 8))];

    /// <summary>The value for the bytes of a message that precede the attribute.</summary>
    public static uint Compute(ReadOnlySpan<byte> message)
    {
        uint crc = uint.MaxValue;
        foreach (byte next in message)
            crc = (crc >> 8) ^ s_table[(byte)crc ^ next];
        return ~crc ^ Mask;
    }

    private static uint Divide(uint value, int bits) =>
        bits == 0 ? value : Divide((value & 1) == 0 ? value >> 1 : (value >> 1) ^ 0xedb88320, bits - 1);
}
