namespace Iroh.Quic.Protocol.Codec;

/// <summary>Variable-length integers (RFC 9000 §16): the top two bits of the first byte give the length.</summary>
public static class VarInt
{
    /// <summary>The largest value, 2^62-1.</summary>
    public const ulong Max = (1UL << 62) - 1;

    /// <summary>The number of bytes of the shortest form: 1, 2, 4 or 8.</summary>
    /// <param name="value">At most <see cref="Max"/>.</param>
    public static int Length(ulong value) => value switch
    {
        < 1UL << 6 => 1,
        < 1UL << 14 => 2,
        < 1UL << 30 => 4,
        <= Max => 8,
        _ => throw new ArgumentOutOfRangeException(nameof(value), value, "A variable-length integer is below 2^62."),
    };
}
