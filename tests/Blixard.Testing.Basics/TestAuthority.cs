using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Blixard.Testing.Basics;

/// <summary>A certificate authority of its own for one test: a root that nobody else trusts, and server certificates below it.</summary>
public sealed class TestAuthority : IDisposable
{
    private static int s_serial;

    private readonly X509Certificate2 _root;

    public TestAuthority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN=Test authority {Interlocked.Increment(ref s_serial)}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        _root = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-30), DateTimeOffset.UtcNow.AddDays(30));
    }

    /// <summary>The root without its key.</summary>
    public X509Certificate2 Root => X509CertificateLoader.LoadCertificate(_root.RawData);

    /// <summary>Trusts this authority and nobody else, and asks nobody.</summary>
    public X509ChainPolicy Trust
    {
        get
        {
            var policy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
                DisableCertificateDownloads = true,
            };
            policy.CustomTrustStore.Add(Root);
            return policy;
        }
    }

    /// <summary>A certificate with its private key, of the caller.</summary>
    /// <param name="names">Host names and IP addresses.</param>
    /// <param name="key">Null for a new one of P-256; otherwise of ECDSA or RSA.</param>
    /// <param name="until">Null for in ten days.</param>
    public X509Certificate2 Issue(string[] names, AsymmetricAlgorithm? key = null, DateTimeOffset? until = null)
    {
        key ??= ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = key is RSA rsa
            ? new CertificateRequest($"CN={names[0]}", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            : new CertificateRequest($"CN={names[0]}", (ECDsa)key, HashAlgorithmName.SHA256);
        var alternatives = new SubjectAlternativeNameBuilder();
        foreach (string name in names)
        {
            if (IPAddress.TryParse(name, out IPAddress? address))
                alternatives.AddIpAddress(address);
            else
                alternatives.AddDnsName(name);
        }

        request.CertificateExtensions.Add(alternatives.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));
        byte[] serial = BitConverter.GetBytes(Interlocked.Increment(ref s_serial));
        using X509Certificate2 certificate = request.Create(
            _root.SubjectName,
            X509SignatureGenerator.CreateForECDsa(_root.GetECDsaPrivateKey()!),
            DateTimeOffset.UtcNow.AddDays(-20),
            until ?? DateTimeOffset.UtcNow.AddDays(10),
            [1, .. serial]);
        return key is RSA rsaKey ? certificate.CopyWithPrivateKey(rsaKey) : certificate.CopyWithPrivateKey((ECDsa)key);
    }

    public void Dispose() => _root.Dispose();
}
