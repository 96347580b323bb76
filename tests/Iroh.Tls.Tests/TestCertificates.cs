using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Iroh.Tls.Certificates;

namespace Iroh.Tls.Tests;

/// <summary>Certificates for localhost, made once: below one root, and one by itself for every kind of key.</summary>
internal static class TestCertificates
{
    private static readonly DateTimeOffset From = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset To = new(2120, 1, 1, 0, 0, 0, TimeSpan.Zero);

    internal static X509Certificate2 Secp256r1 { get; } = SelfSigned(ECDsa.Create(ECCurve.NamedCurves.nistP256), HashAlgorithmName.SHA256);

    internal static X509Certificate2 Secp384r1 { get; } = SelfSigned(ECDsa.Create(ECCurve.NamedCurves.nistP384), HashAlgorithmName.SHA384);

    internal static X509Certificate2 Secp521r1 { get; } = SelfSigned(ECDsa.Create(ECCurve.NamedCurves.nistP521), HashAlgorithmName.SHA512);

    internal static X509Certificate2 Rsa { get; } = SelfSigned(2048);

    internal static X509Certificate2 ShortRsa { get; } = SelfSigned(1024);

    /// <summary>A root, an intermediate below it and a leaf below that.</summary>
    internal static X509Certificate2[] Chain { get; } = CreateChain();

    internal static CertificateIdentity Identity { get; } = CertificateIdentity.Create(Secp256r1);

    internal static X509Certificate2 ByName(string name) => name switch
    {
        "P-256" => Secp256r1,
        "P-384" => Secp384r1,
        _ => Rsa,
    };

    private static X509Certificate2 SelfSigned(ECDsa key, HashAlgorithmName hash) =>
        Describe(new CertificateRequest("CN=localhost", key, hash)).CreateSelfSigned(From, To);

    private static X509Certificate2 SelfSigned(int bits) =>
        Describe(new CertificateRequest("CN=localhost", RSA.Create(bits), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))
            .CreateSelfSigned(From, To);

    private static CertificateRequest Describe(CertificateRequest request)
    {
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        return request;
    }

    private static X509Certificate2[] CreateChain()
    {
        X509Certificate2 root = Authority("CN=Test root", null);
        X509Certificate2 intermediate = Authority("CN=Test intermediate", root);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 leaf = Describe(new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256))
            .Create(intermediate, From, To, [3]);
        return [root, intermediate, leaf.CopyWithPrivateKey(key)];

        static X509Certificate2 Authority(string name, X509Certificate2? issuer)
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
            if (issuer is null)
                return request.CreateSelfSigned(From, To);
            using X509Certificate2 certificate = request.Create(issuer, From, To, [2]);
            return certificate.CopyWithPrivateKey(key);
        }
    }
}
