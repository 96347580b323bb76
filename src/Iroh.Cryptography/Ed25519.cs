namespace Iroh.Cryptography;

/// <summary>
/// Ed25519 signatures (RFC 8032 §5.1, the pure variant). Verification is strict in the sense of ed25519-dalek's
/// <c>verify_strict</c>, so that both ends of a mixed network agree on every signature. Stateless and thread-safe.
/// </summary>
public static unsafe class Ed25519
{
    /// <summary>Length of a private key seed in bytes.</summary>
    public const int SeedLength = 32;

    /// <summary>Length of a public key in bytes.</summary>
    public const int PublicKeyLength = 32;

    /// <summary>Length of a signature in bytes: R, then S.</summary>
    public const int SignatureLength = 64;

    /// <summary>Writes the public key that belongs to <paramref name="seed"/>.</summary>
    /// <param name="seed">Any 32 bytes.</param>
    /// <param name="publicKey">Receives 32 bytes: a compressed point.</param>
    /// <exception cref="ArgumentException">One of the spans has another length.</exception>
    public static void DerivePublicKey(ReadOnlySpan<byte> seed, Span<byte> publicKey) =>
        RawKeys.DerivePublicKey(LibCrypto.Ed25519KeyType, seed, publicKey);

    /// <summary>Signs <paramref name="message"/>; the same inputs always give the same signature.</summary>
    /// <param name="seed">The 32 bytes of the private key.</param>
    /// <param name="message">Of any length.</param>
    /// <param name="signature">Receives 64 bytes.</param>
    /// <exception cref="ArgumentException">The seed or the signature has another length.</exception>
    public static void Sign(ReadOnlySpan<byte> seed, ReadOnlySpan<byte> message, Span<byte> signature)
    {
        RawKeys.RequireLength(signature.Length, SignatureLength, nameof(signature));
        IntPtr key = RawKeys.ImportPrivate(LibCrypto.Ed25519KeyType, seed);
        IntPtr context = 0;
        try
        {
            context = LibCrypto.Require(LibCrypto.DigestContextNew(), "EVP_MD_CTX_new");
            LibCrypto.Require(LibCrypto.DigestSignInit(context, 0, 0, 0, key), "EVP_DigestSignInit");
            nuint length = SignatureLength;
            fixed (byte* signatureBytes = signature, messageBytes = message)
            {
                LibCrypto.Require(
                    LibCrypto.DigestSign(context, signatureBytes, &length, messageBytes, (nuint)message.Length),
                    "EVP_DigestSign");
            }
        }
        finally
        {
            LibCrypto.DigestContextFree(context);
            LibCrypto.KeyFree(key);
        }
    }

    /// <summary>
    /// Whether <paramref name="signature"/> is the owner's signature over <paramref name="message"/>. Refused besides wrong
    /// ones: a public key or R of small order, R in another than its canonical form, and S ≥ L.
    /// </summary>
    /// <param name="publicKey">32 bytes; false if they are no point.</param>
    /// <param name="message">Of any length.</param>
    /// <param name="signature">64 bytes.</param>
    /// <exception cref="ArgumentException">The public key or the signature has another length.</exception>
    public static bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        RawKeys.RequireLength(signature.Length, SignatureLength, nameof(signature));
        RawKeys.RequireLength(publicKey.Length, PublicKeyLength, nameof(publicKey));

        // libcrypto checks S < L and compares R byte for byte (RFC 8032 §5.1.7), but lets small orders pass.
        if (Ed25519Point.HasSmallOrder(publicKey) || Ed25519Point.HasSmallOrder(signature[..32]))
            return false;
        IntPtr key = RawKeys.ImportPublic(LibCrypto.Ed25519KeyType, publicKey);
        IntPtr context = 0;
        bool valid;
        try
        {
            context = LibCrypto.Require(LibCrypto.DigestContextNew(), "EVP_MD_CTX_new");
            LibCrypto.Require(LibCrypto.DigestVerifyInit(context, 0, 0, 0, key), "EVP_DigestVerifyInit");
            fixed (byte* signatureBytes = signature, messageBytes = message)
            {
                valid = LibCrypto.DigestVerify(
                    context, signatureBytes, SignatureLength, messageBytes, (nuint)message.Length) == 1;
            }
        }
        finally
        {
            LibCrypto.DigestContextFree(context);
            LibCrypto.KeyFree(key);
        }

        if (!valid)
            LibCrypto.ClearErrors();
        return valid;
    }

    /// <summary>
    /// Whether the bytes decompress to a point of the curve, which is what makes them an endpoint id. Points of small order
    /// and non-canonical encodings pass here; only <see cref="Verify"/> refuses (some of) them.
    /// </summary>
    /// <param name="publicKey">False unless it has 32 bytes.</param>
    public static bool IsValidPublicKey(ReadOnlySpan<byte> publicKey) =>
        publicKey.Length == PublicKeyLength && Ed25519Point.IsOnCurve(publicKey);
}
