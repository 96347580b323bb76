using System.Formats.Asn1;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Iroh.Cryptography;

namespace Blixard.Rpc.Identity;

/// <summary>Certificates that carry a node's identity over TLS: a fresh P-256 key, self-signed, with an extension in which the
/// node's Ed25519 key signs that key. The construction is that of the libp2p TLS specification with our own signed text
/// (docs/protocols/node-certificate.md). Thread-safe.</summary>
public static class NodeCertificate
{
    /// <summary>The extension that holds <c>SignedKey ::= SEQUENCE { publicKey OCTET STRING, signature OCTET STRING }</c>.</summary>
    public const string ExtensionOid = "1.3.6.1.4.1.53594.1.1";

    /// <summary>The DNS name that every node certificate has besides those asked for; ordinary gRPC clients that pin a node's
    /// certificate check this name.</summary>
    public const string DnsName = "node.blixard";

    /// <summary>How far two nodes' clocks may lie apart when validity dates are checked: machines without a time service drift
    /// by minutes; the dates do not carry the identity.</summary>
    public static readonly TimeSpan ClockSkewMax = TimeSpan.FromMinutes(5);

    /// <summary>How long a certificate is good unless said otherwise.</summary>
    public static readonly TimeSpan DefaultValidity = TimeSpan.FromDays(30);

    // libp2p: the protobuf message PublicKey { Type = 1 (Ed25519), Data = 32 bytes }.
    private static ReadOnlySpan<byte> PublicKeyPrefix => [0x08, 0x01, 0x12, 0x20];

    // A certificate of ours has about 600 bytes; nothing larger is looked into.
    private const int CertificateLengthMax = 8192;
    private const string EcPublicKeyOid = "1.2.840.10045.2.1";
    private const string P256Oid = "1.2.840.10045.3.1.7";
    private const string EcdsaWithSha256Oid = "1.2.840.10045.4.3.2";

    // RFC 5280 §4.2: an unknown critical extension refuses the certificate. Known here: basic constraints, key usage, extended
    // key usage, subject alternative name, and our own.
    private static readonly string[] CriticalKnown = ["2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.17", ExtensionOid];

    private static ReadOnlySpan<byte> SignedPrefix => "blixard-tls:"u8;

    /// <summary>Makes a certificate with its private key.</summary>
    /// <param name="seed">The node's Ed25519 seed, 32 bytes.</param>
    /// <param name="now">The time from which it is good (less <see cref="ClockSkewMax"/>).</param>
    /// <param name="validity">How long, more than zero; null = <see cref="DefaultValidity"/>.</param>
    /// <param name="names">Host names and IP addresses under which the node is reached besides <see cref="DnsName"/>, for
    /// clients that check them; null = none.</param>
    /// <returns>The certificate; the caller disposes it.</returns>
    public static X509Certificate2 Create(
        ReadOnlySpan<byte> seed, DateTimeOffset now, TimeSpan? validity = null, IEnumerable<string>? names = null)
    {
        TimeSpan lifetime = validity ?? DefaultValidity;
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(lifetime, TimeSpan.Zero, nameof(validity));
        Span<byte> endpointId = stackalloc byte[Ed25519.PublicKeyLength];
        Ed25519.DerivePublicKey(seed, endpointId);

        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        // The id's 64 hex digits fill the 64 characters that a common name may have (RFC 5280, ub-common-name).
        var request = new CertificateRequest($"CN={Convert.ToHexStringLower(endpointId)}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509Extension(ExtensionOid, SignKey(seed, endpointId, key), critical: false));
        var alternatives = new SubjectAlternativeNameBuilder();
        alternatives.AddDnsName(DnsName);
        foreach (string name in names ?? [])
        {
            if (IPAddress.TryParse(name, out IPAddress? address))
                alternatives.AddIpAddress(address);
            else if (name != DnsName)
                alternatives.AddDnsName(name);
        }
        request.CertificateExtensions.Add(alternatives.Build());
        return request.CreateSelfSigned(now - ClockSkewMax, now + lifetime);
    }

    /// <summary>Reads whose certificate it is. That the peer holds the certificate's private key is TLS's own check.</summary>
    /// <param name="certificate">What the peer sent.</param>
    /// <param name="now">The time for the validity dates.</param>
    /// <param name="endpointId">The endpoint id, 32 bytes; empty when the result is false.</param>
    /// <param name="reason">What is wrong, for people; empty when the result is true.</param>
    /// <returns>True when the extension's signature binds the certificate's key to the endpoint id.</returns>
    public static bool TryVerify(X509Certificate2 certificate, DateTimeOffset now, out byte[] endpointId, out string reason)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        endpointId = [];
        try
        {
            reason = Check(certificate, now, out byte[] id);
            if (reason.Length == 0)
                endpointId = id;
        }
        catch (Exception e)
        {
            // What the class library throws for foreign bytes depends on the platform's cryptography; none of it may pass here.
            reason = $"it cannot be read: {e.Message}";
        }
        return reason.Length == 0;
    }

    private static string Check(X509Certificate2 certificate, DateTimeOffset now, out byte[] endpointId)
    {
        endpointId = [];
        if (certificate.RawDataMemory.Length > CertificateLengthMax)
            return $"it is longer than {CertificateLengthMax} bytes";
        if (now < new DateTimeOffset(certificate.NotBefore) - ClockSkewMax)
            return "it is not yet good";
        if (now > new DateTimeOffset(certificate.NotAfter) + ClockSkewMax)
            return "it is no longer good";

        byte[]? signedKey = null;
        foreach (X509Extension extension in certificate.Extensions)
        {
            if (extension.Critical && !CriticalKnown.Contains(extension.Oid?.Value))
                return $"it has an unknown critical extension {extension.Oid?.Value}";
            if (extension.Oid?.Value != ExtensionOid)
                continue;
            if (signedKey is not null)
                return "it has two node extensions";
            signedKey = extension.RawData;
        }
        if (signedKey is null)
            return "it has no node extension";

        if (!IsP256(certificate.PublicKey))
            return "its key is not P-256";
        using ECDsa? key = certificate.PublicKey.GetECDsaPublicKey();
        if (key is null)
            return "its key is not P-256";
        if (!IsSelfSigned(certificate, key))
            return "it is not signed by its own key";
        return CheckSignedKey(signedKey, key, out endpointId);
    }

    private static string CheckSignedKey(byte[] signedKey, ECDsa key, out byte[] endpointId)
    {
        endpointId = [];
        var reader = new AsnReader(signedKey, AsnEncodingRules.DER);
        AsnReader sequence = reader.ReadSequence();
        reader.ThrowIfNotEmpty();
        byte[] publicKey = sequence.ReadOctetString();
        byte[] signature = sequence.ReadOctetString();
        sequence.ThrowIfNotEmpty();

        if (publicKey.Length != PublicKeyPrefix.Length + Ed25519.PublicKeyLength || !publicKey.AsSpan().StartsWith(PublicKeyPrefix))
            return "its node extension holds no Ed25519 key";
        byte[] id = publicKey[PublicKeyPrefix.Length..];
        if (signature.Length != Ed25519.SignatureLength || !Ed25519.Verify(id, SignedText(key), signature))
            return "the signature in its node extension is wrong";
        endpointId = id;
        return "";
    }

    private static byte[] SignKey(ReadOnlySpan<byte> seed, ReadOnlySpan<byte> endpointId, ECDsa key)
    {
        Span<byte> signature = stackalloc byte[Ed25519.SignatureLength];
        Ed25519.Sign(seed, SignedText(key), signature);
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteOctetString([.. PublicKeyPrefix, .. endpointId]);
            writer.WriteOctetString(signature);
        }
        return writer.Encode();
    }

    private static byte[] SignedText(ECDsa key) => [.. SignedPrefix, .. key.ExportSubjectPublicKeyInfo()];

    // RFC 5480 §2.1.1: the parameters are the curve's name. Looked at before the key is, so that no other curve is computed on.
    private static bool IsP256(PublicKey key) => key.Oid.Value == EcPublicKeyOid && key.EncodedParameters is { } parameters
        && new AsnReader(parameters.RawData, AsnEncodingRules.DER).ReadObjectIdentifier() == P256Oid;

    private static bool IsSelfSigned(X509Certificate2 certificate, ECDsa key)
    {
        AsnReader parts = new AsnReader(certificate.RawDataMemory, AsnEncodingRules.DER).ReadSequence();
        ReadOnlyMemory<byte> signed = parts.ReadEncodedValue();
        string algorithm = parts.ReadSequence().ReadObjectIdentifier();
        byte[] signature = parts.ReadBitString(out int unused);
        parts.ThrowIfNotEmpty();
        return algorithm == EcdsaWithSha256Oid && unused == 0
            && key.VerifyData(signed.Span, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
    }
}
