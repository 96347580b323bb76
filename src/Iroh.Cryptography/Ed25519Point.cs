namespace Iroh.Cryptography;

/// <summary>
/// The two questions about compressed points of edwards25519 (RFC 8032 §5.1.2) that libcrypto does not answer. Points are
/// public, so nothing here runs in constant time.
/// </summary>
internal static class Ed25519Point
{
    // -121665/121666 mod p (RFC 8032 §5.1), little-endian.
    private static readonly FieldElement D =
        FieldElement.Read(Convert.FromHexString("a3785913ca4deb75abd841414d0a700098e879777940c78c73fe6f2bee6c0352"));

    /// <summary>
    /// The y coordinates, sign bit clear, of the eight points of small order, in all encodings that decompress to them:
    /// 0 and p (order 4), 1 and p + 1 (the identity), p - 1 (order 2), and the two of order 8.
    /// </summary>
    private static readonly byte[][] SmallOrderY =
    [
        Convert.FromHexString("0000000000000000000000000000000000000000000000000000000000000000"),
        Convert.FromHexString("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        Convert.FromHexString("0100000000000000000000000000000000000000000000000000000000000000"),
        Convert.FromHexString("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        Convert.FromHexString("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        Convert.FromHexString("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        Convert.FromHexString("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    ];

    /// <summary>Whether 32 bytes encode a point whose order divides 8, with either sign and canonical or not.</summary>
    internal static bool HasSmallOrder(ReadOnlySpan<byte> encoded)
    {
        Span<byte> y = stackalloc byte[32];
        encoded.CopyTo(y);
        y[31] &= 0x7f;
        foreach (byte[] candidate in SmallOrderY)
        {
            if (y.SequenceEqual(candidate))
                return true;
        }

        return false;
    }

    /// <summary>
    /// Whether 32 bytes decompress to a point: y is taken mod p (values from p to 2^255 - 1 pass, as they do at
    /// curve25519-dalek) and x² = (y² - 1)/(dy² + 1) must have a root. The sign bit is not looked at, since x = 0 with the
    /// sign set passes there, too.
    /// </summary>
    internal static bool IsOnCurve(ReadOnlySpan<byte> encoded)
    {
        FieldElement ySquared = FieldElement.Read(encoded).Square(1);
        FieldElement u = ySquared - FieldElement.One;
        FieldElement v = (D * ySquared) + FieldElement.One;

        // v is never 0 because -1/d is no square, and u/v is a square exactly if uv = (u/v)v² is.
        return (u * v).IsSquare();
    }
}
