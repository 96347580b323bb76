using System.Net;
using Iroh.Cryptography;

namespace Iroh.Quic;

/// <summary>Whom to dial, and how.</summary>
public sealed class QuicConnectOptions
{
    /// <summary>
    /// Where the peer may be, 1 to 64 addresses. The first packets go to all of them, and the connection to the one that answers first;
    /// addresses of a family that the endpoint has no socket for are skipped.
    /// </summary>
    public required IReadOnlyList<IPEndPoint> RemoteEndPoints { get; init; }

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
    private const int RemoteEndPointsMax = 64;

    /// <summary>Checks what the documentation of each member says.</summary>
    /// <exception cref="ArgumentException">A member is out of its range; the message names it.</exception>
    internal void Validate()
    {
        if (RemoteEndPoints.Count is < 1 or > RemoteEndPointsMax)
            throw new ArgumentException($"{nameof(RemoteEndPoints)} has 1 to {RemoteEndPointsMax} addresses; these are {RemoteEndPoints.Count}.");
        if (ApplicationProtocols.Count == 0)
            throw new ArgumentException($"{nameof(ApplicationProtocols)} has at least one name (RFC 9001 §8.1).");
        QuicEndpointOptions.ValidateProtocols(ApplicationProtocols);
        if (ExpectedPeerPublicKey is { } key && key.Length != Ed25519.PublicKeyLength)
            throw new ArgumentException($"{nameof(ExpectedPeerPublicKey)} has {Ed25519.PublicKeyLength} bytes; these are {key.Length}.");
        if (HandshakeTimeout <= TimeSpan.Zero)
            throw new ArgumentException($"{nameof(HandshakeTimeout)} is positive; this is {HandshakeTimeout}.");
    }
}
