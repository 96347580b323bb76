using System.Security.Cryptography;
using Iroh.Cryptography;
using Iroh.Tls.HandshakeMessages;

namespace Iroh.Tls;

/// <summary>
/// The client's state machine (RFC 8446 §A.1), one message a step:
/// ServerHello (or one HelloRetryRequest, then again) → EncryptedExtensions → CertificateRequest → Certificate →
/// CertificateVerify → Finished → connected, where only NewSessionTicket may come.
/// </summary>
internal sealed class ClientHandshake : IHandshake
{
    private readonly TlsConfiguration _configuration;
    private readonly Queue<TlsOutput> _outputs;
    private readonly Transcript _transcript = new();
    private readonly byte[] _random = new byte[32];
    private readonly byte[] _privateKey = new byte[X25519.KeyLength];
    private State _state = State.WaitServerHello;
    private CipherSuite? _retrySuite;
    private CipherSuite _suite;
    private HandshakeCrypto? _crypto;
    private ReadOnlyMemory<byte> _applicationProtocol;
    private byte[] _peerTransportParameters = [];

    /// <summary>Draws random and key share, and puts the ClientHello out.</summary>
    internal ClientHandshake(TlsConfiguration configuration, RandomSource random, Queue<TlsOutput> outputs)
    {
        _configuration = configuration;
        _outputs = outputs;
        random.Fill(_random);
        random.Fill(_privateKey);
        SendClientHello(cookie: []);
    }

    private enum State
    {
        WaitServerHello,
        WaitEncryptedExtensions,
        WaitCertificateRequest,
        WaitCertificate,
        WaitCertificateVerify,
        WaitFinished,
        Connected,
    }

    public EncryptionLevel ReadLevel => _state switch
    {
        State.WaitServerHello => EncryptionLevel.Initial,
        State.Connected => EncryptionLevel.Application,
        _ => EncryptionLevel.Handshake,
    };

    public ReadOnlyMemory<byte> ClientRandom => _random;

    public bool IsComplete => _state == State.Connected;

    public TlsFailure? HandleMessage(HandshakeType type, ReadOnlySpan<byte> message) => (_state, type) switch
    {
        (State.WaitServerHello, HandshakeType.ServerHello) => OnServerHello(message),
        (State.WaitEncryptedExtensions, HandshakeType.EncryptedExtensions) => OnEncryptedExtensions(message),
        (State.WaitCertificateRequest, HandshakeType.CertificateRequest) => OnCertificateRequest(message),
        (State.WaitCertificate, HandshakeType.Certificate) =>
            Advance(_crypto!.ReadCertificate(message), State.WaitCertificateVerify),
        (State.WaitCertificateVerify, HandshakeType.CertificateVerify) =>
            Advance(_crypto!.ReadCertificateVerify(message), State.WaitFinished),
        (State.WaitFinished, HandshakeType.Finished) => OnFinished(message),
        (State.Connected, HandshakeType.NewSessionTicket) => NewSessionTicket.Read(Body(message)),

        // Among these is KeyUpdate, which QUIC forbids (RFC 9001 §6).
        _ => new TlsFailure(TlsAlert.UnexpectedMessage, $"handshake message {(byte)type} while the client is in {_state}"),
    };

    private TlsFailure? OnServerHello(ReadOnlySpan<byte> message)
    {
        if (ServerHello.Read(Body(message), out ServerHello hello) is { } failure)
            return failure;
        if (!_configuration.CipherSuites.Contains(hello.Suite))
            return new TlsFailure(TlsAlert.IllegalParameter, "the server chose a cipher suite that was not offered");
        if (_retrySuite is not null && hello.IsRetryRequest)
            return new TlsFailure(TlsAlert.UnexpectedMessage, "a second HelloRetryRequest");
        if (_retrySuite is { } retrySuite && retrySuite != hello.Suite)
            return new TlsFailure(TlsAlert.IllegalParameter, "the server changed the cipher suite after HelloRetryRequest");
        if (hello.IsRetryRequest)
            return OnRetryRequest(hello, message);

        _transcript.Append(message);
        Span<byte> sharedSecret = stackalloc byte[X25519.KeyLength];
        bool agreed = X25519.TryAgree(_privateKey, hello.X25519KeyShare, sharedSecret);
        CryptographicOperations.ZeroMemory(_privateKey);
        if (!agreed)
            return new TlsFailure(TlsAlert.IllegalParameter, "the server's key share has small order");
        _crypto = new HandshakeCrypto(isClient: true, _configuration, hello.Suite, _transcript, sharedSecret);
        CryptographicOperations.ZeroMemory(sharedSecret);
        _suite = hello.Suite;
        _outputs.Enqueue(_crypto.DeriveHandshakeSecrets());
        _state = State.WaitEncryptedExtensions;
        return null;
    }

    // RFC 8446 §4.1.2: the second ClientHello is the first one with the cookie added.
    private TlsFailure? OnRetryRequest(ServerHello request, ReadOnlySpan<byte> message)
    {
        _retrySuite = request.Suite;
        _transcript.ReplaceByMessageHash(request.Suite.Hash());
        _transcript.Append(message);
        SendClientHello(request.Cookie);
        return null;
    }

    private TlsFailure? OnEncryptedExtensions(ReadOnlySpan<byte> message)
    {
        if (EncryptedExtensions.Read(Body(message), out EncryptedExtensions extensions) is { } failure)
            return failure;
        foreach (ReadOnlyMemory<byte> offered in _configuration.ApplicationProtocols)
        {
            if (offered.Span.SequenceEqual(extensions.ApplicationProtocol))
                _applicationProtocol = offered;
        }

        if (_applicationProtocol.IsEmpty)
            return new TlsFailure(TlsAlert.IllegalParameter, "the server chose an application protocol that was not offered");
        _peerTransportParameters = extensions.TransportParameters.ToArray();
        _crypto!.Append(message);
        _state = State.WaitCertificateRequest;
        return null;
    }

    private TlsFailure? OnCertificateRequest(ReadOnlySpan<byte> message)
    {
        if (CertificateRequest.Read(Body(message)) is { } failure)
            return failure;
        _crypto!.Append(message);
        _state = State.WaitCertificate;
        return null;
    }

    private TlsFailure? OnFinished(ReadOnlySpan<byte> message)
    {
        HandshakeCrypto crypto = _crypto!;
        if (crypto.ReadFinished(message) is { } failure)
            return failure;
        (byte[] read, byte[] write) = crypto.DeriveApplicationSecrets();
        var flight = new TlsWriter();
        crypto.WriteAuthentication(flight);
        crypto.Clear();
        _outputs.Enqueue(new TlsPeerTransportParameters(_peerTransportParameters));
        _outputs.Enqueue(new TlsCryptoData(EncryptionLevel.Handshake, flight.Written.ToArray()));
        _outputs.Enqueue(new TlsSecrets(EncryptionLevel.Application, _suite, read, write));
        _outputs.Enqueue(new TlsHandshakeComplete(_applicationProtocol, crypto.PeerPublicKey));
        _state = State.Connected;
        return null;
    }

    private void SendClientHello(ReadOnlySpan<byte> cookie)
    {
        Span<byte> publicKey = stackalloc byte[X25519.KeyLength];
        X25519.DerivePublicKey(_privateKey, publicKey);
        var flight = new TlsWriter();
        ClientHello.Write(flight, _configuration, _random, publicKey, cookie);
        _transcript.Append(flight.Written);
        _outputs.Enqueue(new TlsCryptoData(EncryptionLevel.Initial, flight.Written.ToArray()));
    }

    private TlsFailure? Advance(TlsFailure? failure, State next)
    {
        if (failure is null)
            _state = next;
        return failure;
    }

    private static ReadOnlySpan<byte> Body(ReadOnlySpan<byte> message) => message[MessageAssembler.HeaderLength..];
}
