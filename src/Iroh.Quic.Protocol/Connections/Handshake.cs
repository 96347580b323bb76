using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Connections;

/// <summary>
/// Carries bytes between TLS and the CRYPTO streams, and its secrets to the packet keys (RFC 9001 §4.1). What TLS learns of the peer stays
/// here.
/// </summary>
internal sealed class Handshake
{
    private const int ChunkLength = 2048;

    private readonly TlsSession _tls;
    private readonly CryptoStreams _crypto;
    private readonly ConnectionKeys _keys;
    private readonly byte[] _chunk = new byte[ChunkLength];

    /// <summary>Starts with what TLS wants to say first: a client's ClientHello.</summary>
    public Handshake(TlsSession tls, CryptoStreams crypto, ConnectionKeys keys)
    {
        _tls = tls;
        _crypto = crypto;
        _keys = keys;
        TakeOutputs();
    }

    /// <summary>Whether TLS is complete on this side (RFC 9001 §4.1.1) and the 1-RTT keys are there.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>The peer's transport parameters as it sent them, null until then.</summary>
    public ReadOnlyMemory<byte>? PeerParameters { get; private set; }

    /// <summary>The protocol that was chosen (ALPN); empty until the handshake is complete.</summary>
    public ReadOnlyMemory<byte> ApplicationProtocol { get; private set; }

    /// <summary>
    /// The peer's proven Ed25519 key, 32 bytes; empty until the handshake is complete, and where X.509 certificates are used.
    /// </summary>
    public ReadOnlyMemory<byte> PeerPublicKey { get; private set; }

    /// <summary>The X.509 certificates of a server that was dialled by its name, its own first; empty until it has shown them.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> PeerCertificates { get; private set; } = [];

    /// <summary>Whether it ended because the peer has proven to be somebody else than was dialled.</summary>
    public bool IsPeerMismatch { get; private set; }

    /// <summary>Feeds TLS with what has arrived in order at a level.</summary>
    /// <returns>A CRYPTO_ERROR with the alert of TLS (RFC 9001 §4.8).</returns>
    public TransportError? OnCryptoData(EncryptionLevel level)
    {
        int count;
        while ((count = _crypto.Read(level, _chunk)) > 0)
        {
            TlsFailure? failure = _tls.HandleCrypto(level, _chunk.AsSpan(0, count));
            if (Follow(failure) is { } error)
                return error;
        }

        return null;
    }

    /// <summary>The server's certificate is good.</summary>
    /// <returns>As of <see cref="OnCryptoData"/>.</returns>
    public TransportError? AcceptCertificate() => Follow(_tls.AcceptCertificate());

    /// <summary>The server's certificate is not good.</summary>
    /// <returns>What to close with; null if the handshake is complete.</returns>
    public TransportError? RefuseCertificate(byte alert, string reason) => Follow(_tls.RefuseCertificate(alert, reason));

    private TransportError? Follow(TlsFailure? failure)
    {
        TakeOutputs();
        if (failure is null)
            return null;
        IsPeerMismatch = failure.Kind == TlsFailureKind.PeerIdentityMismatch;
        return new TransportError(TransportErrorCode.CryptoErrorBase + failure.Alert, FrameType.Crypto, failure.Reason);
    }

    private void TakeOutputs()
    {
        while (_tls.TryGetOutput(out TlsOutput? output))
        {
            switch (output)
            {
                case TlsCryptoData data:
                    _crypto.Write(data.Level, data.Bytes.Span);
                    break;
                case TlsSecrets secrets:
                    _keys.Install(secrets);
                    break;
                case TlsServerCertificate certificate:
                    PeerCertificates = certificate.Chain;
                    break;
                case TlsPeerTransportParameters parameters:
                    PeerParameters = parameters.Bytes;
                    break;
                case TlsHandshakeComplete complete:
                    ApplicationProtocol = complete.ApplicationProtocol;
                    PeerPublicKey = complete.PeerPublicKey;
                    IsComplete = true;
                    break;
            }
        }
    }
}
