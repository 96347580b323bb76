using System.Security.Cryptography;
using Iroh.Cryptography;

namespace Iroh.Tls;

/// <summary>The cipher suites of TLS 1.3 that are spoken here (RFC 8446 §B.4).</summary>
public enum CipherSuite : ushort
{
    /// <summary>TLS_AES_128_GCM_SHA256.</summary>
    Aes128GcmSha256 = 0x1301,

    /// <summary>TLS_AES_256_GCM_SHA384.</summary>
    Aes256GcmSha384 = 0x1302,

    /// <summary>TLS_CHACHA20_POLY1305_SHA256.</summary>
    ChaCha20Poly1305Sha256 = 0x1303,
}

/// <summary>
/// What each <see cref="CipherSuite"/> is made of. The methods throw <see cref="ArgumentOutOfRangeException"/> for other values.
/// </summary>
public static class CipherSuiteExtensions
{
    /// <summary>The AEAD that protects packets.</summary>
    public static AeadAlgorithm Aead(this CipherSuite suite) => suite switch
    {
        CipherSuite.Aes128GcmSha256 => AeadAlgorithm.Aes128Gcm,
        CipherSuite.Aes256GcmSha384 => AeadAlgorithm.Aes256Gcm,
        CipherSuite.ChaCha20Poly1305Sha256 => AeadAlgorithm.ChaCha20Poly1305,
        _ => throw new ArgumentOutOfRangeException(nameof(suite), suite, "Not a cipher suite of this library."),
    };

    /// <summary>The hash of the transcript, of HKDF and of HMAC.</summary>
    public static HashAlgorithmName Hash(this CipherSuite suite) => suite switch
    {
        CipherSuite.Aes128GcmSha256 or CipherSuite.ChaCha20Poly1305Sha256 => HashAlgorithmName.SHA256,
        CipherSuite.Aes256GcmSha384 => HashAlgorithmName.SHA384,
        _ => throw new ArgumentOutOfRangeException(nameof(suite), suite, "Not a cipher suite of this library."),
    };

    /// <summary>Length in bytes of that hash and of every secret: 32 or 48.</summary>
    public static int HashLength(this CipherSuite suite) => suite.Hash() == HashAlgorithmName.SHA384 ? 48 : 32;

    /// <summary>Whether the number from the wire names one of the suites.</summary>
    internal static bool IsKnown(this CipherSuite suite) =>
        suite is CipherSuite.Aes128GcmSha256 or CipherSuite.Aes256GcmSha384 or CipherSuite.ChaCha20Poly1305Sha256;
}
