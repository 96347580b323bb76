using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Blixard.Testing.Basics;

namespace Iroh.Tests.Interop;

/// <summary>
/// A copy of the real iroh that trusts certificates of a test. It believes the public roots that are built into it and can be told of no
/// other, so the key of one of them is overwritten in the copy by a key of the test's own. The copy lives as long as this object.
/// </summary>
internal sealed class TrustingPeerFolder : IDisposable
{
    private const string RootName = "ISRG Root X2";

    // RFC 5480 §2: a P-384 key up to its point, without the outer sequence, which is how the roots are kept.
    private static readonly byte[] s_keyPrefix = Convert.FromHexString("301006072a8648ce3d020106052b81040022036200");

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("trusting-iroh-");
    private readonly ECDsa _rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP384);
    private readonly X509Certificate2 _root;

    public TrustingPeerFolder()
    {
        // Byte for byte the root's own name: with PrintableStrings, as this way of writing it makes them.
        var name = new X500DistinguishedName($"CN={RootName}, O=Internet Security Research Group, C=US");
        var request = new CertificateRequest(name, _rootKey, HashAlgorithmName.SHA384);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        _root = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        Copy(new DirectoryInfo(IrohPeer.Folder), _folder);
        foreach (string library in Directory.EnumerateFiles(_folder.FullName, "*.node", SearchOption.AllDirectories))
            ReplaceKey(library);
    }

    /// <summary>The folder, for <see cref="IrohPeer.Start"/>.</summary>
    public string Path => _folder.FullName;

    /// <summary>Writes a certificate for hosts, and its private key, that the copy trusts.</summary>
    /// <returns>The two PEM files.</returns>
    public (string Certificate, string Key) Issue(params string[] hosts)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={hosts[0]}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        foreach (string host in hosts)
            names.AddDnsName(host);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));
        using X509Certificate2 certificate = request.Create(_root, DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(12), [1, 2, 3]);
        (string Certificate, string Key) files = (System.IO.Path.Combine(Path, "certificate.pem"), System.IO.Path.Combine(Path, "key.pem"));
        File.WriteAllText(files.Certificate, certificate.ExportCertificatePem());
        File.WriteAllText(files.Key, key.ExportPkcs8PrivateKeyPem());
        return files;
    }

    public void Dispose()
    {
        _root.Dispose();
        _rootKey.Dispose();
        _folder.Delete(recursive: true);
    }

    private static void Copy(DirectoryInfo from, DirectoryInfo to)
    {
        foreach (FileInfo file in from.EnumerateFiles())
            file.CopyTo(System.IO.Path.Combine(to.FullName, file.Name));
        foreach (DirectoryInfo folder in from.EnumerateDirectories().Where(folder => folder.Name != ".bin"))
            Copy(folder, to.CreateSubdirectory(folder.Name));
    }

    private void ReplaceKey(string library)
    {
        const int OuterSequenceLength = 2, KeyWithin = 400;
        byte[] bytes = File.ReadAllBytes(library);
        byte[] key = _rootKey.ExportSubjectPublicKeyInfo()[OuterSequenceLength..];
        int replaced = 0;
        for (int at = 0; bytes.AsSpan(at).IndexOf(Encoding.ASCII.GetBytes(RootName)) is >= 0 and int name; at += name + 1)
        {
            int begin = at + name;
            int within = bytes.AsSpan(begin, Math.Min(KeyWithin, bytes.Length - begin)).IndexOf(s_keyPrefix);
            if (within < 0 || !bytes.AsSpan(0, begin + RootName.Length).EndsWith(_root.SubjectName.RawData.AsSpan(OuterSequenceLength)))
                continue;
            key.CopyTo(bytes, begin + within);
            replaced++;
        }

        if (replaced == 0)
            throw new InvalidOperationException($"{library} has no root {RootName} whose key could be replaced.");
        File.WriteAllBytes(library, bytes);
    }
}
