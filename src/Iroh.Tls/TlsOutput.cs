namespace Iroh.Tls;

/// <summary>
/// What a <see cref="TlsSession"/> wants done, in this order. One of <see cref="TlsCryptoData"/>, <see cref="TlsSecrets"/>,
/// <see cref="TlsServerCertificate"/>, <see cref="TlsPeerTransportParameters"/> and <see cref="TlsHandshakeComplete"/>.
/// </summary>
public abstract record TlsOutput
{
    private protected TlsOutput()
    {
    }
}

/// <summary>Handshake bytes for the CRYPTO stream of one level.</summary>
/// <param name="Level">Initial or Handshake.</param>
/// <param name="Bytes">Whole messages, following those of earlier outputs of the level; the receiver owns them.</param>
public sealed record TlsCryptoData(EncryptionLevel Level, ReadOnlyMemory<byte> Bytes) : TlsOutput;

/// <summary>
/// Traffic secrets of one level, from which packet keys are derived (RFC 9001 §5.1). A server gets those of the Application
/// level in two steps: writing after its own Finished, reading after the client's.
/// </summary>
/// <param name="Level">Handshake or Application.</param>
/// <param name="Suite">Decides AEAD and hash.</param>
/// <param name="ReadSecret">
/// The peer's traffic secret, <see cref="CipherSuiteExtensions.HashLength"/> bytes that the receiver owns; null if it comes
/// later or came before.
/// </param>
/// <param name="WriteSecret">This side's traffic secret, likewise.</param>
public sealed record TlsSecrets(EncryptionLevel Level, CipherSuite Suite, byte[]? ReadSecret, byte[]? WriteSecret) : TlsOutput;

/// <summary>
/// The certificates of a server that was dialled by <see cref="TlsConfiguration.ServerName"/>. It has proven to own the first, and
/// whether that is good enough is to be found out: the handshake does not complete before
/// <see cref="TlsSession.AcceptCertificate"/> or <see cref="TlsSession.RefuseCertificate"/>.
/// </summary>
/// <param name="Chain">DER, at least one; only the first has been looked into. The receiver owns them.</param>
public sealed record TlsServerCertificate(IReadOnlyList<ReadOnlyMemory<byte>> Chain) : TlsOutput;

/// <summary>
/// The peer's quic_transport_parameters, not looked into (RFC 9001 §8.2). A server gets them with the ClientHello, when nothing
/// proves yet who sent them; a client after the server's Finished.
/// </summary>
/// <param name="Bytes">The extension's content; the receiver owns it.</param>
public sealed record TlsPeerTransportParameters(ReadOnlyMemory<byte> Bytes) : TlsOutput;

/// <summary>The handshake is complete on this side (RFC 9001 §4.1.1): the peer's identity is proven.</summary>
/// <param name="ApplicationProtocol">The chosen ALPN name.</param>
/// <param name="PeerPublicKey">
/// The peer's Ed25519 key, 32 bytes; empty where an X.509 certificate was used, by which a server is known by its name and a client
/// not at all.
/// </param>
public sealed record TlsHandshakeComplete(ReadOnlyMemory<byte> ApplicationProtocol, ReadOnlyMemory<byte> PeerPublicKey)
    : TlsOutput;
