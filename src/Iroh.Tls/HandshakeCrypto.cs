using System.Security.Cryptography;
using Iroh.Cryptography;
using Iroh.Tls.Certificates;
using Iroh.Tls.HandshakeMessages;

namespace Iroh.Tls;

/// <summary>
/// The part of a handshake that is the same on both sides: transcript, secrets, and the three authentication messages
/// Certificate, CertificateVerify and Finished (RFC 8446 §4.4).
/// </summary>
internal sealed class HandshakeCrypto
{
    private readonly bool _isClient;
    private readonly TlsConfiguration _configuration;
    private readonly CipherSuite _suite;
    private readonly HashAlgorithmName _hash;
    private readonly Transcript _transcript;
    private readonly TlsKeySchedule _schedule;
    private readonly byte[] _peerPublicKey = new byte[Ed25519.PublicKeyLength];
    private readonly bool _usesRawPublicKeys;
    private IReadOnlyList<ReadOnlyMemory<byte>> _peerCertificates = [];
    private byte[] _ownHandshakeSecret = [];
    private byte[] _peerHandshakeSecret = [];

    /// <summary>Goes on from the hellos.</summary>
    /// <param name="isClient">Which side this is.</param>
    /// <param name="usesRawPublicKeys">Whether both sides show raw public keys; otherwise the server an X.509 certificate.</param>
    /// <param name="configuration">Has the own key and the expected one.</param>
    /// <param name="suite">As negotiated.</param>
    /// <param name="transcript">Ends with the ServerHello.</param>
    /// <param name="sharedSecret">The result of the key exchange; the caller wipes it.</param>
    internal HandshakeCrypto(
        bool isClient,
        bool usesRawPublicKeys,
        TlsConfiguration configuration,
        CipherSuite suite,
        Transcript transcript,
        ReadOnlySpan<byte> sharedSecret)
    {
        _isClient = isClient;
        _usesRawPublicKeys = usesRawPublicKeys;
        _configuration = configuration;
        _suite = suite;
        _hash = suite.Hash();
        _transcript = transcript;
        _schedule = new TlsKeySchedule(suite);
        _schedule.EnterHandshake(sharedSecret);
    }

    /// <summary>
    /// The key that the peer's Certificate showed; proven only after its CertificateVerify. Empty where X.509 certificates are used.
    /// </summary>
    internal ReadOnlyMemory<byte> PeerPublicKey => _usesRawPublicKeys ? _peerPublicKey : default;

    /// <summary>The X.509 certificates that the server has shown, its own first.</summary>
    internal IReadOnlyList<ReadOnlyMemory<byte>> PeerCertificates => _peerCertificates;

    /// <summary>Derives the handshake traffic secrets, over the messages up to the ServerHello.</summary>
    internal TlsSecrets DeriveHandshakeSecrets()
    {
        byte[] transcriptHash = _transcript.Hash(_hash);
        byte[] client = _schedule.DeriveSecret("c hs traffic"u8, transcriptHash);
        byte[] server = _schedule.DeriveSecret("s hs traffic"u8, transcriptHash);
        (_ownHandshakeSecret, _peerHandshakeSecret) = _isClient ? (client, server) : (server, client);
        return new TlsSecrets(
            EncryptionLevel.Handshake, _suite, [.. _peerHandshakeSecret], [.. _ownHandshakeSecret]);
    }

    /// <summary>Derives the application traffic secrets, over the messages up to the server's Finished.</summary>
    /// <returns>The peer's, then this side's.</returns>
    internal (byte[] Read, byte[] Write) DeriveApplicationSecrets()
    {
        byte[] transcriptHash = _transcript.Hash(_hash);
        _schedule.EnterMaster();
        byte[] client = _schedule.DeriveSecret("c ap traffic"u8, transcriptHash);
        byte[] server = _schedule.DeriveSecret("s ap traffic"u8, transcriptHash);
        _schedule.Clear();
        return _isClient ? (server, client) : (client, server);
    }

    /// <summary>Takes a message, sent or received, into the transcript.</summary>
    internal void Append(ReadOnlySpan<byte> message) => _transcript.Append(message);

    /// <summary>Writes this side's Certificate, CertificateVerify and Finished, with a raw public key.</summary>
    internal void WriteAuthentication(TlsWriter flight)
    {
        Span<byte> publicKey = stackalloc byte[Ed25519.PublicKeyLength];
        Ed25519.DerivePublicKey(_configuration.PrivateKeySeed.Span, publicKey);
        int start = flight.Position;
        CertificateMessage.Write(flight, publicKey);
        _transcript.Append(flight.Written[start..]);
        start = flight.Position;
        CertificateVerify.Write(flight, _isClient, _configuration.PrivateKeySeed.Span, _transcript.Hash(_hash));
        _transcript.Append(flight.Written[start..]);
        WriteFinished(flight);
    }

    /// <summary>Writes a server's Certificate, CertificateVerify and Finished, with an X.509 certificate.</summary>
    internal void WriteAuthentication(TlsWriter flight, CertificateIdentity identity, SignatureScheme scheme)
    {
        int start = flight.Position;
        CertificateMessage.WriteChain(flight, identity.Chain);
        _transcript.Append(flight.Written[start..]);
        start = flight.Position;
        CertificateVerify.WriteByCertificate(flight, identity, scheme, _transcript.Hash(_hash));
        _transcript.Append(flight.Written[start..]);
        WriteFinished(flight);
    }

    /// <summary>Writes the Certificate of a client that was asked for one and has none (RFC 8446 §4.4.2).</summary>
    internal void WriteNoCertificate(TlsWriter flight)
    {
        int start = flight.Position;
        CertificateMessage.WriteChain(flight, []);
        _transcript.Append(flight.Written[start..]);
    }

    /// <summary>Writes this side's Finished.</summary>
    internal void WriteFinished(TlsWriter flight)
    {
        int start = flight.Position;
        Finished.Write(flight, TlsKeySchedule.ComputeVerifyData(_hash, _ownHandshakeSecret, _transcript.Hash(_hash)));
        _transcript.Append(flight.Written[start..]);
    }

    /// <summary>Takes the peer's Certificate.</summary>
    internal TlsFailure? ReadCertificate(ReadOnlySpan<byte> message)
    {
        TlsFailure? failure;
        if (_usesRawPublicKeys)
        {
            failure = CertificateMessage.Read(Body(message), !_isClient, out ReadOnlySpan<byte> publicKey);
            publicKey.CopyTo(_peerPublicKey);
        }
        else
        {
            failure = CertificateMessage.ReadChain(Body(message), out _peerCertificates);
        }

        if (failure is null)
            _transcript.Append(message);
        return failure;
    }

    /// <summary>
    /// Takes the peer's CertificateVerify. The identity is compared only after it has been proven, so that a mismatch is one.
    /// </summary>
    internal TlsFailure? ReadCertificateVerify(ReadOnlySpan<byte> message)
    {
        byte[] transcriptHash = _transcript.Hash(_hash);
        TlsFailure? failure = _usesRawPublicKeys
            ? CertificateVerify.Read(Body(message), !_isClient, _peerPublicKey, transcriptHash)
            : CertificateVerify.ReadByCertificate(Body(message), _peerCertificates[0].Span, transcriptHash);
        if (failure is not null)
            return failure;
        if (_configuration.ExpectedPeerPublicKey is { } expected && !expected.Span.SequenceEqual(_peerPublicKey))
        {
            return new TlsFailure(TlsAlert.BadCertificate, "the endpoint has another id than the one that was dialled")
            {
                Kind = TlsFailureKind.PeerIdentityMismatch,
            };
        }

        _transcript.Append(message);
        return null;
    }

    /// <summary>Takes the peer's Finished.</summary>
    internal TlsFailure? ReadFinished(ReadOnlySpan<byte> message)
    {
        byte[] expected = TlsKeySchedule.ComputeVerifyData(_hash, _peerHandshakeSecret, _transcript.Hash(_hash));
        if (Finished.Read(Body(message), expected) is { } failure)
            return failure;
        _transcript.Append(message);
        return null;
    }

    /// <summary>Wipes what only the handshake needed.</summary>
    internal void Clear()
    {
        CryptographicOperations.ZeroMemory(_ownHandshakeSecret);
        CryptographicOperations.ZeroMemory(_peerHandshakeSecret);
        _schedule.Clear();
        _transcript.Clear();
    }

    private static ReadOnlySpan<byte> Body(ReadOnlySpan<byte> message) => message[MessageAssembler.HeaderLength..];
}
