using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Blixard.Rpc.Identity;
using Blixard.Testing.Basics;
using Iroh.Cryptography;

namespace Blixard.Rpc.Tests.Identity;

public sealed class NodeCertificateTests
{
    private static readonly DateTimeOffset Now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly byte[] Seed = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
    private static readonly byte[] Prefix = [0x08, 0x01, 0x12, 0x20];

    [Fact]
    public void A_certificate_proves_its_node()
    {
        using X509Certificate2 certificate = NodeCertificate.Create(Seed, Now, names: ["10.0.0.1", "host.example"]);
        Assert.True(NodeCertificate.TryVerify(certificate, Now, out byte[] id, out string reason), reason);
        Assert.Equal(PublicKey(Seed), id);
        Assert.Equal($"CN={Convert.ToHexStringLower(id)}", certificate.Subject);
        var names = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().Single();
        Assert.Equal([NodeCertificate.DnsName, "host.example"], names.EnumerateDnsNames());
        Assert.Equal("10.0.0.1", names.EnumerateIPAddresses().Single().ToString());
    }

    [Fact]
    public void The_signed_text_is_the_prefix_and_the_public_key()
    {
        using X509Certificate2 certificate = NodeCertificate.Create(Seed, Now);
        var reader = new AsnReader(
            certificate.Extensions.Single(e => e.Oid!.Value == "1.3.6.1.4.1.53594.1.1").RawData, AsnEncodingRules.DER).ReadSequence();
        Assert.Equal([.. Prefix, .. PublicKey(Seed)], reader.ReadOctetString());
        byte[] signature = reader.ReadOctetString();
        byte[] text = [.. "blixard-tls:"u8, .. certificate.PublicKey.ExportSubjectPublicKeyInfo()];
        Assert.True(Ed25519.Verify(PublicKey(Seed), text, signature));
    }

    [Theory]
    [InlineData(-6 * 60, true)]
    [InlineData((-10 * 60) - 1, false)]
    [InlineData((30 * 24 * 3600) + 299, true)]
    [InlineData((30 * 24 * 3600) + 301, false)]
    public void Dates_hold_within_five_minutes(int secondsFromNow, bool good)
    {
        // It is made good from five minutes before now; the check allows five more.
        using X509Certificate2 certificate = NodeCertificate.Create(Seed, Now);
        Assert.Equal(good, NodeCertificate.TryVerify(certificate, Now.AddSeconds(secondsFromNow), out byte[] id, out string reason));
        Assert.Equal(good, id.Length == 32);
        Assert.Equal(good, reason.Length == 0);
    }

    [Fact]
    public void Without_the_extension_it_is_refused() => Refused("it has no node extension", (_, _) => { });

    [Fact]
    public void A_signature_by_another_key_is_refused() =>
        Refused("the signature in its node extension is wrong", (request, key) =>
            Add(request, PublicKey(Seed), Sign([.. Enumerable.Repeat((byte)9, 32)], key)));

    [Fact]
    public void A_signature_over_another_certificates_key_is_refused()
    {
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Refused("the signature in its node extension is wrong", (request, _) => Add(request, PublicKey(Seed), Sign(Seed, other)));
    }

    [Fact]
    public void A_signature_of_libp2p_itself_is_refused() =>
        Refused("the signature in its node extension is wrong", (request, key) =>
            Add(request, PublicKey(Seed), Sign(Seed, key, "libp2p-tls-handshake:"u8)));

    [Fact]
    public void Two_extensions_are_refused()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=x", key, HashAlgorithmName.SHA256);
        Add(request, PublicKey(Seed), Sign(Seed, key));
        using X509Certificate2 one = request.CreateSelfSigned(Now, Now.AddDays(1));
        using X509Certificate2 two = X509CertificateLoader.LoadCertificate(WithExtensionsTwice(one, key));
        Assert.True(NodeCertificate.TryVerify(one, Now, out byte[] _, out string reason), reason);
        Refused(two, "it has two node extensions");
    }

    [Fact]
    public void A_key_of_another_kind_in_the_extension_is_refused() =>
        Refused("its node extension holds no Ed25519 key", (request, key) =>
            request.CertificateExtensions.Add(Extension([0x08, 0x02, 0x12, 0x20, .. PublicKey(Seed)], Sign(Seed, key))));

    [Fact]
    public void A_key_of_small_order_is_refused() =>
        Refused("the signature in its node extension is wrong", (request, _) =>
            Add(request, [1, .. new byte[31]], [1, .. new byte[63]]));

    [Fact]
    public void An_unknown_critical_extension_is_refused() =>
        Refused("it has an unknown critical extension 1.2.3.4", (request, key) =>
        {
            Add(request, PublicKey(Seed), Sign(Seed, key));
            request.CertificateExtensions.Add(new X509Extension("1.2.3.4", [5, 0], critical: true));
        });

    [Fact]
    public void An_extension_that_cannot_be_read_is_refused() =>
        Refused("it cannot be read", (request, _) =>
            request.CertificateExtensions.Add(new X509Extension(NodeCertificate.ExtensionOid, [0x30, 0x7F, 1], critical: false)));

    [Fact]
    public void Another_curve_is_refused()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var request = new CertificateRequest("CN=x", key, HashAlgorithmName.SHA256);
        Add(request, PublicKey(Seed), Sign(Seed, key));
        using X509Certificate2 certificate = request.CreateSelfSigned(Now, Now.AddDays(1));
        Refused(certificate, "its key is not P-256");
    }

    [Fact]
    public void An_RSA_key_is_refused()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=x", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        byte[] signature = new byte[64];
        Ed25519.Sign(Seed, [.. "blixard-tls:"u8, .. key.ExportSubjectPublicKeyInfo()], signature);
        Add(request, PublicKey(Seed), signature);
        using X509Certificate2 certificate = request.CreateSelfSigned(Now, Now.AddDays(1));
        Refused(certificate, "its key is not P-256");
    }

    [Fact]
    public void A_certificate_signed_by_another_key_is_refused()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var issuer = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=x", key, HashAlgorithmName.SHA256);
        Add(request, PublicKey(Seed), Sign(Seed, key));
        using X509Certificate2 certificate = request.Create(
            new X500DistinguishedName("CN=x"), X509SignatureGenerator.CreateForECDsa(issuer), Now, Now.AddDays(1), [1]);
        Refused(certificate, "it is not signed by its own key");
    }

    [Fact]
    public void A_certificate_with_a_flipped_bit_anywhere_never_proves_the_node_anew()
    {
        const ulong Random = 31337;
        using X509Certificate2 good = NodeCertificate.Create(Seed, Now);
        var random = new SeededRandomSource(Random);
        byte[] numbers = new byte[4];
        for (int round = 0; round < 1500; round++)
        {
            byte[] bytes = [.. good.RawData];
            random.Fill(numbers);
            bytes[((numbers[0] << 8) | numbers[1]) % bytes.Length] ^= (byte)(1 << (numbers[2] % 8));
            X509Certificate2 damaged;
            try
            {
                damaged = X509CertificateLoader.LoadCertificate(bytes);
            }
            catch (CryptographicException)
            {
                continue;
            }
            using (damaged)
                Assert.False(NodeCertificate.TryVerify(damaged, Now, out byte[] _, out string _), $"seed {Random}, round {round}");
        }
    }

    [Fact]
    public void A_source_renews_its_certificate_in_time()
    {
        var time = new ManualTimeProvider();
        using var source = new NodeCertificateSource(Seed, time);
        X509Certificate2 first = source.Current;
        time.Advance(TimeSpan.FromDays(19));
        Assert.Same(first, source.Current);
        time.Advance(TimeSpan.FromDays(2));
        Assert.NotSame(first, source.Current);
        Assert.True(NodeCertificate.TryVerify(source.Current, time.GetUtcNow() + TimeSpan.FromDays(29), out byte[] id, out string reason), reason);
        Assert.Equal(source.EndpointId, id);
    }

    private static void Refused(string reason, Action<CertificateRequest, ECDsa> change)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=x", key, HashAlgorithmName.SHA256);
        change(request, key);
        using X509Certificate2 certificate = request.CreateSelfSigned(Now, Now.AddDays(1));
        Refused(certificate, reason);
    }

    private static void Refused(X509Certificate2 certificate, string expected)
    {
        Assert.False(NodeCertificate.TryVerify(certificate, Now, out byte[] id, out string reason));
        Assert.Empty(id);
        Assert.StartsWith(expected, reason, StringComparison.Ordinal);
    }

    // The same certificate with each extension twice, signed anew: CertificateRequest would refuse to make it.
    private static byte[] WithExtensionsTwice(X509Certificate2 certificate, ECDsa key)
    {
        var extensions = new Asn1Tag(TagClass.ContextSpecific, 3, isConstructed: true);
        AsnReader parts = new AsnReader(certificate.RawData, AsnEncodingRules.DER).ReadSequence();
        AsnReader signed = parts.ReadSequence();
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            while (signed.PeekTag() != extensions)
                writer.WriteEncodedValue(signed.ReadEncodedValue().Span);
            using (writer.PushSequence(extensions))
            using (writer.PushSequence())
            {
                AsnReader list = signed.ReadSequence(extensions).ReadSequence();
                while (list.HasData)
                {
                    ReadOnlySpan<byte> extension = list.ReadEncodedValue().Span;
                    writer.WriteEncodedValue(extension);
                    writer.WriteEncodedValue(extension);
                }
            }
        }
        byte[] text = writer.Encode();
        writer.Reset();
        using (writer.PushSequence())
        {
            writer.WriteEncodedValue(text);
            writer.WriteEncodedValue(parts.ReadEncodedValue().Span);
            writer.WriteBitString(key.SignData(text, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence));
        }
        return writer.Encode();
    }

    private static byte[] PublicKey(byte[] seed)
    {
        byte[] publicKey = new byte[32];
        Ed25519.DerivePublicKey(seed, publicKey);
        return publicKey;
    }

    private static byte[] Sign(byte[] seed, ECDsa key, ReadOnlySpan<byte> prefix = default)
    {
        byte[] signature = new byte[64];
        Ed25519.Sign(seed, [.. prefix.IsEmpty ? "blixard-tls:"u8 : prefix, .. key.ExportSubjectPublicKeyInfo()], signature);
        return signature;
    }

    private static void Add(CertificateRequest request, byte[] publicKey, byte[] signature) =>
        request.CertificateExtensions.Add(Extension([.. Prefix, .. publicKey], signature));

    private static X509Extension Extension(byte[] publicKey, byte[] signature)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteOctetString(publicKey);
            writer.WriteOctetString(signature);
        }
        return new X509Extension(NodeCertificate.ExtensionOid, writer.Encode(), critical: false);
    }
}
