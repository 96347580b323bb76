using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Iroh.Cryptography;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Tls;

namespace Iroh.Quic;

/// <summary>Whom to dial, and how.</summary>
public sealed class QuicConnectOptions
{
    /// <summary>
    /// Where the peer may be, with <see cref="VirtualRemotes"/> 1 to 64 addresses. The first packets go to all of them, and the connection to
    /// the one that answers first; addresses of a family that the endpoint has no socket for are skipped.
    /// </summary>
    public IReadOnlyList<IPEndPoint> RemoteEndPoints { get; init; } = [];

    /// <summary>Virtual addresses at which the peer may be, for the endpoint's <see cref="QuicEndpointOptions.VirtualTransport"/>.</summary>
    public IReadOnlyList<NetworkAddress> VirtualRemotes { get; init; } = [];

    /// <summary>Limits and timers of this connection; null, the default, for those of the endpoint.</summary>
    public ConnectionConfiguration? Connection { get; init; }

    /// <summary>The application protocols to offer (ALPN), best first, at least one, 1 to 255 bytes each.</summary>
    public required IReadOnlyList<ReadOnlyMemory<byte>> ApplicationProtocols { get; init; }

    /// <summary>
    /// The 32-byte Ed25519 public key that the peer must prove to own. Null, the default, takes anybody: then the caller checks
    /// <see cref="QuicConnection.PeerPublicKey"/>.
    /// </summary>
    public ReadOnlyMemory<byte>? ExpectedPeerPublicKey { get; init; }

    /// <summary>
    /// Dials a host by its name rather than a peer by its key: the host name (ASCII, see <see cref="Uri.IdnHost"/>) or the IP address for
    /// which the server must show an X.509 certificate. This end then shows nothing of itself, and there is no
    /// <see cref="QuicConnection.PeerPublicKey"/>. Null, the default, for raw public keys on both sides.
    /// </summary>
    public string? ServerName { get; init; }

    /// <summary>
    /// How the certificate chain of <see cref="ServerName"/> is built, and which roots are trusted. Null, the default: the system's roots,
    /// without a look at revocation lists and without fetching missing certificates.
    /// </summary>
    public X509ChainPolicy? CertificateChainPolicy { get; init; }

    /// <summary>
    /// Has the last word about the certificate of <see cref="ServerName"/>, as in <see cref="SslClientAuthenticationOptions"/>; the sender
    /// is the <see cref="QuicConnection"/>. Called on the thread pool while the handshake waits; what it throws is a refusal. The
    /// certificates are disposed when it returns. Null, the default: whatever error there is ends the handshake.
    /// </summary>
    public RemoteCertificateValidationCallback? CertificateValidationCallback { get; init; }

    /// <summary>How long the handshake may take before the connection fails as timed out. Default 30 s.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Each address costs a copy of every first packet; whoever knows more of a peer should choose.</summary>
    internal const int RemotesMax = 64;

    /// <summary>Checks what the documentation of each member says.</summary>
    /// <exception cref="ArgumentException">A member is out of its range; the message names it.</exception>
    internal void Validate()
    {
        int remotes = RemoteEndPoints.Count + VirtualRemotes.Count;
        if (remotes is < 1 or > RemotesMax)
            throw new ArgumentException($"{nameof(RemoteEndPoints)} and {nameof(VirtualRemotes)} have 1 to {RemotesMax} addresses; these are {remotes}.");
        if (!VirtualRemotes.All(remote => remote.IsVirtual))
            throw new ArgumentException($"{nameof(VirtualRemotes)} are virtual addresses.");
        Connection?.Validate();
        if (ApplicationProtocols.Count == 0)
            throw new ArgumentException($"{nameof(ApplicationProtocols)} has at least one name (RFC 9001 §8.1).");
        QuicEndpointOptions.ValidateProtocols(ApplicationProtocols);
        if (ExpectedPeerPublicKey is { } key && key.Length != Ed25519.PublicKeyLength)
            throw new ArgumentException($"{nameof(ExpectedPeerPublicKey)} has {Ed25519.PublicKeyLength} bytes; these are {key.Length}.");
        if (ServerName is not null && (ExpectedPeerPublicKey is not null || !TlsConfiguration.IsServerName(ServerName)))
            throw new ArgumentException($"{nameof(ServerName)} is an ASCII host name or an IP address and goes with no public key; this is '{ServerName}'.");
        if (HandshakeTimeout <= TimeSpan.Zero)
            throw new ArgumentException($"{nameof(HandshakeTimeout)} is positive; this is {HandshakeTimeout}.");
    }
}
