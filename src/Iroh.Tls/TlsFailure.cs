namespace Iroh.Tls;

/// <summary>Why a handshake failed, where the alert alone does not say it.</summary>
public enum TlsFailureKind
{
    /// <summary>The peer broke the protocol or has nothing in common with this side.</summary>
    Protocol,

    /// <summary>The peer has proven an identity, and it is another than the one that was dialled.</summary>
    PeerIdentityMismatch,

    /// <summary>The server's X.509 certificate was refused by <see cref="TlsSession.RefuseCertificate"/>.</summary>
    CertificateRefused,
}

/// <summary>The end of a handshake. It is final: the session takes nothing more.</summary>
/// <param name="Alert">One of <see cref="TlsAlert"/>, for CONNECTION_CLOSE.</param>
/// <param name="Reason">English, for a person reading the other end's log.</param>
public sealed record TlsFailure(byte Alert, string Reason)
{
    /// <summary>What the endpoint above tells its user apart.</summary>
    public TlsFailureKind Kind { get; init; }
}
