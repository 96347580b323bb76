namespace Iroh.Tls;

/// <summary>The groups of the ephemeral key exchange that are spoken here (RFC 8446 §4.2.7).</summary>
public enum KeyExchangeGroup : ushort
{
    /// <summary>secp256r1, the NIST curve P-256: what a server with an ordinary certificate may insist on.</summary>
    Secp256r1 = 0x0017,

    /// <summary>x25519 (RFC 7748): what iroh speaks.</summary>
    X25519 = 0x001d,
}

/// <summary>What belongs to each <see cref="KeyExchangeGroup"/>.</summary>
internal static class KeyExchangeGroupExtensions
{
    /// <summary>Whether the number from the wire names one of the groups.</summary>
    internal static bool IsKnown(this KeyExchangeGroup group) => group is KeyExchangeGroup.X25519 or KeyExchangeGroup.Secp256r1;

    /// <summary>
    /// Length in bytes of a key share: 32, or 65 for an uncompressed point (RFC 8446 §4.2.8.2). 0 for a group that is not known.
    /// </summary>
    internal static int ShareLength(this KeyExchangeGroup group) => group switch
    {
        KeyExchangeGroup.X25519 => Cryptography.X25519.KeyLength,
        KeyExchangeGroup.Secp256r1 => 65,
        _ => 0,
    };
}
