using System.Net;
using Iroh.Cryptography;
using Iroh.Tls.Certificates;

namespace Iroh.Tls;

/// <summary>What one handshake needs to know; the same type for both sides. Immutable, may be shared by sessions.</summary>
/// <remarks>
/// There are two ways to know each other. With raw public keys (RFC 7250) both sides prove an Ed25519 key. With an X.509 certificate
/// a server proves that it is the host of that name, and its client nothing. A client takes the second way if it has a
/// <see cref="ServerName"/>; a server can go both, and follows the client.
/// </remarks>
public sealed record TlsConfiguration
{
    /// <summary>
    /// ALPN names of 1 to 255 bytes, at least one, best first. A client offers them all; a server takes the first of its own
    /// that the client offers. May be empty at a server that has <see cref="CertificateProtocols"/>, as these are for clients with raw
    /// public keys.
    /// </summary>
    public required IReadOnlyList<ReadOnlyMemory<byte>> ApplicationProtocols { get; init; }

    /// <summary>
    /// The 32-byte Ed25519 seed whose public key this side proves to be. May be empty where no raw public key is shown.
    /// </summary>
    public ReadOnlyMemory<byte> PrivateKeySeed { get; init; }

    /// <summary>
    /// For a client: the host name (ASCII, of up to 253 characters; a dot at its end counts for nothing) or the IP address that the
    /// server is dialled by. It must then show an X.509 certificate, which comes out as <see cref="TlsServerCertificate"/> and is
    /// judged outside; nothing is shown to it. Null, the default, for raw public keys on both sides.
    /// </summary>
    public string? ServerName { get; init; }

    /// <summary>
    /// For a server: what it shows to clients that do not offer raw public keys. Null, the default: these are refused.
    /// </summary>
    public CertificateIdentity? Certificate { get; init; }

    /// <summary>
    /// For a server with a <see cref="Certificate"/>: the ALPN names that clients without raw public keys can have, best first.
    /// </summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> CertificateProtocols { get; init; } = [];

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

    /// <summary>
    /// Which groups a key exchange may use, best first. A client offers them all, with a key share of the first; a server takes the
    /// first of its own that the client has sent a share of, or asks for one. Default: X25519, all that iroh needs.
    /// </summary>
    public IReadOnlyList<KeyExchangeGroup> KeyExchangeGroups { get; init; } = [KeyExchangeGroup.X25519];

    /// <summary>Whether a client of this configuration shows a raw public key and wants to see one.</summary>
    internal bool UsesRawPublicKeys => ServerName is null;

    // RFC 1035 §2.3.4, without the length bytes at both ends.
    private const int ServerNameLengthMax = 253;

    // Leaves a ClientHello with everything in it within the 16 KiB that peers (and this library) read.
    private const int TransportParametersBytesMax = 8192;

    // As above; a client offers a handful of names, a server never sends its list.
    private const int ApplicationProtocolsBytesMax = 4096;

    /// <summary>Whether a text can be a <see cref="ServerName"/>.</summary>
    public static bool IsServerName(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (IPAddress.TryParse(text, out _))
            return true;
        ReadOnlySpan<char> name = text.EndsWith('.') ? text.AsSpan(0, text.Length - 1) : text;
        if (name.Length is 0 or > ServerNameLengthMax || name.StartsWith('.') || name.EndsWith('.') || name.Contains("..", StringComparison.Ordinal))
            return false;
        foreach (char c in name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.'))
                return false;
        }

        return true;
    }

    /// <summary>Refuses what no handshake could work with.</summary>
    /// <exception cref="ArgumentException">A member is out of the range that its description gives.</exception>
    internal void Validate(bool isClient)
    {
        int protocolBytes = BytesOf(ApplicationProtocols);
        int certificateProtocolBytes = BytesOf(CertificateProtocols);
        bool hasCertificate = Certificate is not null && certificateProtocolBytes > 0;
        Require(
            protocolBytes > 0 || (!isClient && hasCertificate),
            "QUIC demands ALPN: name at least one protocol.");
        Require(
            Math.Max(protocolBytes, certificateProtocolBytes) <= ApplicationProtocolsBytesMax,
            $"ALPN names take at most {ApplicationProtocolsBytesMax} bytes together.");
        bool showsRawKey = isClient ? UsesRawPublicKeys : protocolBytes > 0;
        Require(
            PrivateKeySeed.Length == Ed25519.SeedLength || (PrivateKeySeed.IsEmpty && !showsRawKey), "An Ed25519 seed has 32 bytes.");
        Require(
            ServerName is null || (IsServerName(ServerName) && ExpectedPeerPublicKey is null),
            "A server's name is an IP address or an ASCII host name, and goes with no expected public key.");
        Require(KeyExchangeGroups.Count > 0, "At least one key exchange group is needed.");
        foreach (KeyExchangeGroup group in KeyExchangeGroups)
            Require(group.IsKnown(), "An unknown key exchange group.");
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

    private static int BytesOf(IReadOnlyList<ReadOnlyMemory<byte>> protocols)
    {
        int bytes = 0;
        foreach (ReadOnlyMemory<byte> protocol in protocols)
        {
            Require(protocol.Length is >= 1 and <= 255, "An ALPN name has 1 to 255 bytes.");
            bytes += 1 + protocol.Length;
        }

        return bytes;
    }

    private static void Require(bool condition, string message)
    {
        if (!condition)
            throw new ArgumentException(message);
    }
}
