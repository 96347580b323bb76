using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Iroh.Cryptography;
using Iroh.Tls.HandshakeMessages;

namespace Iroh.Tls.Certificates;

/// <summary>
/// Checks that whoever signed has the private key of an X.509 certificate. Whether the certificate is to be trusted is not
/// looked at here.
/// </summary>
internal static class CertificateSignature
{
    // Below: refused by everybody since 2014. Above: nobody has it, and checking it would take a good part of a second.
    private const int RsaBitsMin = 2048;
    private const int RsaBitsMax = 8192;

    // Room for the DER of a modulus of that size and of an exponent.
    private const int RsaKeyBytesMax = (RsaBitsMax / 8) + 64;

    // DER of the object identifiers that name a curve in a public key's parameters (RFC 5480 §2.1.1.1).
    private static ReadOnlySpan<byte> Secp256r1 => [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

    private static ReadOnlySpan<byte> Secp384r1 => [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];

    /// <summary>Checks a signature against a certificate, neither of which is believed to be well formed.</summary>
    /// <param name="certificate">DER.</param>
    /// <param name="scheme">One that was offered; the key must be of its kind.</param>
    /// <param name="content">What is signed.</param>
    /// <param name="signature">As it came.</param>
    /// <param name="rsaBitsMin">The shortest RSA key that is taken; only old test vectors need another than the default.</param>
    internal static TlsFailure? Verify(
        ReadOnlySpan<byte> certificate,
        SignatureScheme scheme,
        ReadOnlySpan<byte> content,
        ReadOnlySpan<byte> signature,
        int rsaBitsMin = RsaBitsMin)
    {
        // The loader would also take the text form (PEM), which has no place here.
        const byte Sequence = 0x30;
        if (certificate.IsEmpty || certificate[0] != Sequence)
            return new TlsFailure(TlsAlert.BadCertificate, "the server's certificate cannot be read");
        X509Certificate2 loaded;
        try
        {
            loaded = X509CertificateLoader.LoadCertificate(certificate);
        }
        catch (CryptographicException)
        {
            return new TlsFailure(TlsAlert.BadCertificate, "the server's certificate cannot be read");
        }

        using (loaded)
        {
            try
            {
                bool? isRight = Verify(loaded, scheme, content, signature, rsaBitsMin);
                return isRight switch
                {
                    true => null,
                    false => new TlsFailure(TlsAlert.DecryptError, "the signature in CertificateVerify is wrong"),
                    null => new TlsFailure(TlsAlert.IllegalParameter, "the key of the server's certificate does not fit the signature's scheme"),
                };
            }
            catch (CryptographicException)
            {
                return new TlsFailure(TlsAlert.BadCertificate, "the key of the server's certificate cannot be used");
            }
        }
    }

    // Null if the key is of another kind than the scheme.
    private static bool? Verify(
        X509Certificate2 certificate, SignatureScheme scheme, ReadOnlySpan<byte> content, ReadOnlySpan<byte> signature, int rsaBitsMin)
    {
        PublicKey key = certificate.PublicKey;
        ReadOnlySpan<byte> parameters = key.EncodedParameters?.RawData;
        switch (scheme)
        {
            case SignatureScheme.EcdsaSecp256r1Sha256 when parameters.SequenceEqual(Secp256r1):
            case SignatureScheme.EcdsaSecp384r1Sha384 when parameters.SequenceEqual(Secp384r1):
                using (ECDsa? ecdsa = key.GetECDsaPublicKey())
                    return ecdsa?.VerifyData(content, signature, scheme.Hash(), DSASignatureFormat.Rfc3279DerSequence);
            case SignatureScheme.RsaPssRsaeSha256 or SignatureScheme.RsaPssRsaeSha384 or SignatureScheme.RsaPssRsaeSha512
                when key.EncodedKeyValue.RawData.Length <= RsaKeyBytesMax:
                using (RSA? rsa = key.GetRSAPublicKey())
                {
                    return rsa is not null && rsa.KeySize >= rsaBitsMin && rsa.KeySize <= RsaBitsMax
                        ? rsa.VerifyData(content, signature, scheme.Hash(), RSASignaturePadding.Pss)
                        : null;
                }

            case SignatureScheme.Ed25519 when key.Oid.Value == Ed25519Oid && key.EncodedKeyValue.RawData.Length == Ed25519.PublicKeyLength:
                return signature.Length == Ed25519.SignatureLength && Ed25519.Verify(key.EncodedKeyValue.RawData, content, signature);
            default:
                return null;
        }
    }

    // RFC 8410 §3.
    private const string Ed25519Oid = "1.3.101.112";
}
