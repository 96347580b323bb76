using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Iroh.Relay.Server.Hosting;

/// <summary>
/// A server certificate from PEM files, read again when they have changed: whoever renews certificates need not restart the server.
/// Thread-safe.
/// </summary>
internal sealed class CertificateFiles
{
    private readonly WatchedFile<SslStreamCertificateContext> _file;

    /// <summary>Reads the files.</summary>
    /// <param name="certificate">The server's certificate, followed by those between it and its root.</param>
    /// <param name="key">Its private key, not encrypted.</param>
    /// <param name="time">Says when to look again.</param>
    /// <param name="onProblem">Is told why changed files cannot be used.</param>
    /// <exception cref="RelayServerException">They cannot be used.</exception>
    public CertificateFiles(string certificate, string key, TimeProvider time, Action<string>? onProblem) =>
        _file = new WatchedFile<SslStreamCertificateContext>([certificate, key], Read, time, onProblem);

    /// <summary>The certificate with its chain.</summary>
    public SslStreamCertificateContext Current => _file.Current;

    private static SslStreamCertificateContext Read(IReadOnlyList<string> paths)
    {
        (string certificate, string key) = (paths[0], paths[1]);
        try
        {
            X509Certificate2 own = X509Certificate2.CreateFromPemFile(certificate, key);
            if (own.NotAfter < DateTime.Now)
                throw new RelayServerException($"The certificate {certificate} has expired on {own.NotAfter:yyyy-MM-dd}.");
            var chain = new X509Certificate2Collection();
            chain.ImportFromPemFile(certificate);
            chain.RemoveAt(0);
            // What the file says is sent; nothing is fetched for it.
            return SslStreamCertificateContext.Create(own, chain, offline: true);
        }
        catch (CryptographicException exception)
        {
            throw new RelayServerException(
                $"{certificate} and {key} are not a certificate and its private key in PEM: {exception.Message}", exception);
        }
    }
}
