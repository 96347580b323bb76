using System.Net;
using Iroh.Cryptography;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;

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
        if (HandshakeTimeout <= TimeSpan.Zero)
            throw new ArgumentException($"{nameof(HandshakeTimeout)} is positive; this is {HandshakeTimeout}.");
    }
}
