using Iroh.Cryptography;

namespace Iroh.Tls;

/// <summary>What one handshake needs to know; the same type for both sides. Immutable, may be shared by sessions.</summary>
public sealed record TlsConfiguration
{
    /// <summary>
    /// ALPN names of 1 to 255 bytes, at least one, best first. A client offers them all; a server takes the first of its own
    /// that the client offers.
    /// </summary>
    public required IReadOnlyList<ReadOnlyMemory<byte>> ApplicationProtocols { get; init; }

    /// <summary>The 32-byte Ed25519 seed whose public key this side proves to be.</summary>
    public required ReadOnlyMemory<byte> PrivateKeySeed { get; init; }

    /// <summary>The content of this side's quic_transport_parameters extension, at most 8192 bytes.</summary>
    public required ReadOnlyMemory<byte> TransportParameters { get; init; }

    /// <summary>
    /// The 32-byte key that the peer must have, else the handshake ends with <see cref="TlsFailureKind.PeerIdentityMismatch"/>;
    /// null to accept anybody who has a key. A null <c>byte[]</c> converts to an empty value, which is refused.
    /// </summary>
    public ReadOnlyMemory<byte>? ExpectedPeerPublicKey { get; init; }

    /// <summary>
    /// What a client offers, best first, and what a server accepts; a server follows the client's order (as rustls does).
    /// Default: all, AES-128 first because it is the fastest where the CPU has AES instructions.
    /// </summary>
    public IReadOnlyList<CipherSuite> CipherSuites { get; init; } =
        [CipherSuite.Aes128GcmSha256, CipherSuite.Aes256GcmSha384, CipherSuite.ChaCha20Poly1305Sha256];

    // Leaves a ClientHello with everything in it within the 16 KiB that peers (and this library) read.
    private const int TransportParametersBytesMax = 8192;

    // As above; a client offers a handful of names, a server never sends its list.
    private const int ApplicationProtocolsBytesMax = 4096;

    /// <summary>Refuses what no handshake could work with.</summary>
    /// <exception cref="ArgumentException">A member is out of the range that its description gives.</exception>
    internal void Validate()
    {
        int protocolBytes = 0;
        foreach (ReadOnlyMemory<byte> protocol in ApplicationProtocols)
        {
            Require(protocol.Length is >= 1 and <= 255, "An ALPN name has 1 to 255 bytes.");
            protocolBytes += 1 + protocol.Length;
        }

        Require(protocolBytes > 0, "QUIC demands ALPN: name at least one protocol.");
        Require(
            protocolBytes <= ApplicationProtocolsBytesMax,
            $"ALPN names take at most {ApplicationProtocolsBytesMax} bytes together.");
        Require(PrivateKeySeed.Length == Ed25519.SeedLength, "An Ed25519 seed has 32 bytes.");
        Require(
            TransportParameters.Length <= TransportParametersBytesMax,
            $"Transport parameters take at most {TransportParametersBytesMax} bytes.");
        Require(
            ExpectedPeerPublicKey is not { } key || key.Length == Ed25519.PublicKeyLength,
            "The expected peer's public key has 32 bytes (a null array is not null here but empty).");
        Require(CipherSuites.Count > 0, "At least one cipher suite is needed.");
        foreach (CipherSuite suite in CipherSuites)
            Require(suite.IsKnown(), "An unknown cipher suite.");
    }

    private static void Require(bool condition, string message)
    {
        if (!condition)
            throw new ArgumentException(message);
    }
}
