namespace Iroh.Cryptography;

/// <summary>
/// The AEADs of TLS 1.3 that QUIC uses here (RFC 8446 §B.4, RFC 9001 §5.3). All have 12-byte nonces and 16-byte tags.
/// </summary>
public enum AeadAlgorithm
{
    /// <summary>AEAD_AES_128_GCM, 16-byte key.</summary>
    Aes128Gcm,

    /// <summary>AEAD_AES_256_GCM, 32-byte key.</summary>
    Aes256Gcm,

    /// <summary>AEAD_CHACHA20_POLY1305, 32-byte key.</summary>
    ChaCha20Poly1305,
}

/// <summary>Facts about each <see cref="AeadAlgorithm"/>.</summary>
public static class AeadAlgorithmExtensions
{
    /// <summary>
    /// Length of the key in bytes, 16 or 32; the header protection key has the same (RFC 9001 §5.4.3, §5.4.4).
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Not a member of the enumeration.</exception>
    public static int KeyLength(this AeadAlgorithm algorithm) => algorithm switch
    {
        AeadAlgorithm.Aes128Gcm => 16,
        AeadAlgorithm.Aes256Gcm or AeadAlgorithm.ChaCha20Poly1305 => 32,
        _ => throw new ArgumentOutOfRangeException(nameof(algorithm), algorithm, "Not an AEAD algorithm."),
    };
}
