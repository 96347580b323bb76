using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Iroh.Tls;

namespace Iroh.Quic.Certificates;

/// <summary>
/// Finds out whether the certificates that a server has shown are those of the host that was dialled. Reads the system's roots and may
/// call user code, so it belongs on the thread pool.
/// </summary>
internal sealed class ServerCertificateCheck
{
    // RFC 5280 §4.2.1.12: id-kp-serverAuth.
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    private readonly string _serverName;
    private readonly X509ChainPolicy? _policy;
    private readonly RemoteCertificateValidationCallback? _callback;

    /// <param name="serverName">A host name, with or without a dot at its end, or an IP address.</param>
    /// <param name="policy">Null for the system's roots.</param>
    /// <param name="callback">Has the last word if there is one.</param>
    public ServerCertificateCheck(string serverName, X509ChainPolicy? policy, RemoteCertificateValidationCallback? callback)
    {
        _serverName = serverName.TrimEnd('.');
        _policy = policy;
        _callback = callback;
    }

    /// <summary>Never throws.</summary>
    /// <param name="sender">For the callback.</param>
    /// <param name="certificates">DER, the server's own first, at least one.</param>
    /// <returns>Null if all is well; otherwise the alert, and the reason for people.</returns>
    public (byte Alert, string Reason)? Judge(object sender, IReadOnlyList<ReadOnlyMemory<byte>> certificates)
    {
        var loaded = new List<X509Certificate2>(certificates.Count);
        using var chain = new X509Chain();
        try
        {
            foreach (ReadOnlyMemory<byte> certificate in certificates)
                loaded.Add(X509CertificateLoader.LoadCertificate(certificate.Span));
            return Judge(sender, loaded, chain);
        }
        catch (CryptographicException)
        {
            return (TlsAlert.BadCertificate, "one of the server's certificates cannot be read");
        }
        catch (Exception failure)
        {
            // User code threw, or the system's store of roots is out of order: no verdict is no consent.
            return (TlsAlert.CertificateUnknown, $"the server's certificate could not be checked: {failure.Message}");
        }
        finally
        {
            foreach (X509Certificate2 certificate in loaded)
                certificate.Dispose();
            foreach (X509ChainElement element in chain.ChainElements)
                element.Certificate.Dispose();
        }
    }

    private (byte Alert, string Reason)? Judge(object sender, List<X509Certificate2> certificates, X509Chain chain)
    {
        // Servers send what lies between them and the root, so nothing has to be fetched; and who runs a relay should not learn by a
        // look at revocation lists who is about to connect.
        chain.ChainPolicy = _policy?.Clone() ?? new X509ChainPolicy
        {
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        for (int i = 1; i < certificates.Count; i++)
            chain.ChainPolicy.ExtraStore.Add(certificates[i]);
        if (chain.ChainPolicy.ApplicationPolicy.Count == 0)
            chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ServerAuthentication));

        X509Certificate2 server = certificates[0];
        SslPolicyErrors errors = SslPolicyErrors.None;
        if (!chain.Build(server))
            errors |= SslPolicyErrors.RemoteCertificateChainErrors;
        if (!server.MatchesHostname(_serverName, allowWildcards: true, allowCommonName: false))
            errors |= SslPolicyErrors.RemoteCertificateNameMismatch;
        bool isGood = _callback?.Invoke(sender, server, chain, errors) ?? errors == SslPolicyErrors.None;
        return isGood ? null : Explain(errors, chain);
    }

    private (byte Alert, string Reason) Explain(SslPolicyErrors errors, X509Chain chain)
    {
        X509ChainStatusFlags flags = X509ChainStatusFlags.NoError;
        foreach (X509ChainStatus status in chain.ChainStatus)
            flags |= status.Status;
        if (errors == SslPolicyErrors.None)
            return (TlsAlert.CertificateUnknown, $"the certificate of {_serverName} was refused by the application");
        if ((errors & SslPolicyErrors.RemoteCertificateChainErrors) == 0)
            return (TlsAlert.CertificateUnknown, $"the server's certificate is not for {_serverName}");
        byte alert = (flags & X509ChainStatusFlags.NotTimeValid) != 0 ? TlsAlert.CertificateExpired
            : (flags & (X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.PartialChain)) != 0 ? TlsAlert.UnknownCa
            : TlsAlert.BadCertificate;
        return (alert, $"the certificate of {_serverName} is not trusted here: {flags}");
    }
}
