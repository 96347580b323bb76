using System.Security.Cryptography;

namespace Iroh.Tls.HandshakeMessages;

/// <summary>The signature schemes of CertificateVerify that are spoken here (RFC 8446 §4.2.3).</summary>
internal enum SignatureScheme : ushort
{
    EcdsaSecp256r1Sha256 = 0x0403,
    EcdsaSecp384r1Sha384 = 0x0503,
    RsaPssRsaeSha256 = 0x0804,
    RsaPssRsaeSha384 = 0x0805,
    RsaPssRsaeSha512 = 0x0806,
    Ed25519 = 0x0807,
}

/// <summary>What belongs to each <see cref="SignatureScheme"/>, and what is offered.</summary>
internal static class SignatureSchemes
{
    /// <summary>What a client takes from a server with an X.509 certificate, best first.</summary>
    internal static ReadOnlySpan<SignatureScheme> OfCertificates =>
    [
        SignatureScheme.EcdsaSecp256r1Sha256,
        SignatureScheme.EcdsaSecp384r1Sha384,
        SignatureScheme.RsaPssRsaeSha256,
        SignatureScheme.RsaPssRsaeSha384,
        SignatureScheme.RsaPssRsaeSha512,
        SignatureScheme.Ed25519,
    ];

    /// <summary>What everybody takes from a raw public key.</summary>
    internal static ReadOnlySpan<SignatureScheme> OfRawPublicKeys => [SignatureScheme.Ed25519];

    /// <summary>
    /// What a client lists for the signatures inside of certificates (RFC 8446 §4.2.3): roots and intermediates still sign with
    /// PKCS #1, which CertificateVerify may not use.
    /// </summary>
    internal static ReadOnlySpan<ushort> OnlyInsideOfCertificates => [0x0401, 0x0501, 0x0601];

    /// <summary>The hash of a scheme of ECDSA or RSA.</summary>
    internal static HashAlgorithmName Hash(this SignatureScheme scheme) => scheme switch
    {
        SignatureScheme.EcdsaSecp256r1Sha256 or SignatureScheme.RsaPssRsaeSha256 => HashAlgorithmName.SHA256,
        SignatureScheme.EcdsaSecp384r1Sha384 or SignatureScheme.RsaPssRsaeSha384 => HashAlgorithmName.SHA384,
        SignatureScheme.RsaPssRsaeSha512 => HashAlgorithmName.SHA512,
        _ => throw new ArgumentOutOfRangeException(nameof(scheme), scheme, "Not a scheme that names its hash."),
    };
}
