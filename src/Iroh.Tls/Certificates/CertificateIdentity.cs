using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Iroh.Tls.HandshakeMessages;

namespace Iroh.Tls.Certificates;

/// <summary>
/// What a server shows of itself to clients that do not speak raw public keys: an X.509 certificate with its private key, and the
/// certificates between it and its root. Immutable, thread-safe, and independent of the objects that it was made from. Its key
/// is freed with the last handshake and configuration that refer to it.
/// </summary>
public sealed class CertificateIdentity
{
    // A public chain has two or three. More would only be sent, not believed.
    private const int ChainLengthMax = 8;

    // With the message around it well below the 16 KiB that peers hold, and this library reads.
    private const int ChainBytesMax = 15_000;

    // Several handshakes sign with one key object, which does not promise to serve several threads at once.
    private readonly Lock _signing = new();
    private readonly ECDsa? _ecdsa;
    private readonly RSA? _rsa;
    private readonly SignatureScheme[] _schemes;

    private CertificateIdentity(
        IReadOnlyList<ReadOnlyMemory<byte>> chain, DateTimeOffset notAfter, ECDsa? ecdsa, RSA? rsa, SignatureScheme[] schemes)
    {
        (Chain, NotAfter, _ecdsa, _rsa, _schemes) = (chain, notAfter, ecdsa, rsa, schemes);
    }

    /// <summary>The certificates as they are sent, DER, the server's own first and each certified by the next.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Chain { get; }

    /// <summary>Until when the server's own certificate is valid.</summary>
    public DateTimeOffset NotAfter { get; }

    /// <summary>Takes a certificate and puts the chain above it in order.</summary>
    /// <param name="certificate">With a private key of ECDSA P-256 or P-384, or of RSA with 2048 to 8192 bits. Not kept.</param>
    /// <param name="others">
    /// Certificates among which those above <paramref name="certificate"/> are, in any order. What does not belong to it is left
    /// out, and so is a root, which clients have or do not believe. Not kept.
    /// </param>
    /// <exception cref="ArgumentException">There is no private key, or one of another kind; or the chain is too big.</exception>
    public static CertificateIdentity Create(X509Certificate2 certificate, IEnumerable<X509Certificate2>? others = null)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        if (!certificate.HasPrivateKey)
            throw new ArgumentException("The certificate comes without its private key.", nameof(certificate));
        IReadOnlyList<ReadOnlyMemory<byte>> chain = Order(certificate, [.. others ?? []]);
        if (chain.Sum(entry => entry.Length) > ChainBytesMax)
            throw new ArgumentException($"The certificates have more than {ChainBytesMax} bytes together.", nameof(others));
        var notAfter = new DateTimeOffset(certificate.NotAfter.ToUniversalTime(), TimeSpan.Zero);
        if (certificate.GetECDsaPrivateKey() is { } ecdsa)
            return new CertificateIdentity(chain, notAfter, ecdsa, null, [SchemeOf(ecdsa)]);
        if (certificate.GetRSAPrivateKey() is not { } rsa)
            throw new ArgumentException("The certificate's key is neither of ECDSA nor of RSA.", nameof(certificate));
        if (rsa.KeySize is < 2048 or > 8192)
            throw new ArgumentException($"An RSA key has 2048 to 8192 bits; this one has {rsa.KeySize}.", nameof(certificate));
        return new CertificateIdentity(
            chain,
            notAfter,
            null,
            rsa,
            [SignatureScheme.RsaPssRsaeSha256, SignatureScheme.RsaPssRsaeSha384, SignatureScheme.RsaPssRsaeSha512]);
    }

    /// <summary>Chooses how to sign for a client.</summary>
    /// <param name="offered">The content of its signature_algorithms.</param>
    /// <param name="scheme">Valid if the result is true.</param>
    internal bool TryChooseScheme(ReadOnlySpan<byte> offered, out SignatureScheme scheme)
    {
        foreach (SignatureScheme own in _schemes)
        {
            scheme = own;
            if (ClientHello.Contains(offered, (ushort)own))
                return true;
        }

        scheme = default;
        return false;
    }

    /// <summary>Signs with the certificate's key, by a scheme that <see cref="TryChooseScheme"/> has given.</summary>
    internal byte[] Sign(SignatureScheme scheme, ReadOnlySpan<byte> content)
    {
        lock (_signing)
        {
            return _ecdsa is not null
                ? _ecdsa.SignData(content, scheme.Hash(), DSASignatureFormat.Rfc3279DerSequence)
                : _rsa!.SignData(content, scheme.Hash(), RSASignaturePadding.Pss);
        }
    }

    private static SignatureScheme SchemeOf(ECDsa key) => key.ExportParameters(includePrivateParameters: false).Curve.Oid.Value switch
    {
        "1.2.840.10045.3.1.7" => SignatureScheme.EcdsaSecp256r1Sha256,
        "1.3.132.0.34" => SignatureScheme.EcdsaSecp384r1Sha384,
        _ => throw new ArgumentException("An ECDSA key is one of P-256 or P-384; TLS 1.3 clients take no other.", nameof(key)),
    };

    private static List<ReadOnlyMemory<byte>> Order(X509Certificate2 certificate, List<X509Certificate2> others)
    {
        List<ReadOnlyMemory<byte>> chain = [certificate.RawData];
        X509Certificate2 last = certificate;
        while (!IsSelfIssued(last)
            && chain.Count < ChainLengthMax
            && others.Find(other => !IsSelfIssued(other) && HaveSameName(other.SubjectName, last.IssuerName)) is { } next)
        {
            chain.Add(next.RawData);
            others.Remove(next);
            last = next;
        }

        return chain;
    }

    private static bool IsSelfIssued(X509Certificate2 certificate) => HaveSameName(certificate.SubjectName, certificate.IssuerName);

    private static bool HaveSameName(X500DistinguishedName one, X500DistinguishedName other) =>
        one.RawData.AsSpan().SequenceEqual(other.RawData);
}
