using System.Security.Cryptography;
using Iroh.Cryptography;
using Iroh.Tls.HandshakeMessages;
using Iroh.Tls.KeyExchange;

namespace Iroh.Tls;

/// <summary>
/// The client's state machine (RFC 8446 §A.1), one message a step:
/// ServerHello (or one HelloRetryRequest, then again) → EncryptedExtensions → CertificateRequest → Certificate →
/// CertificateVerify → Finished → connected, where only NewSessionTicket may come. A server with an X.509 certificate need not ask
/// for one itself, and between Finished and connected the verdict on its certificate is waited for, unless that has come before.
/// </summary>
internal sealed class ClientHandshake : IHandshake
{
    private readonly TlsConfiguration _configuration;
    private readonly Queue<TlsOutput> _outputs;
    private readonly Transcript _transcript = new();
    private readonly byte[] _random = new byte[32];
    private readonly EphemeralKey _privateKey;
    private readonly bool _usesRawPublicKeys;
    private KeyExchangeGroup _group;
    private bool _isCertificateRequested;
    private bool _isPeerAccepted;
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
        _usesRawPublicKeys = configuration.UsesRawPublicKeys;
        _isPeerAccepted = _usesRawPublicKeys;
        _group = configuration.KeyExchangeGroups[0];
        random.Fill(_random);
        _privateKey = new EphemeralKey(random);
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
        WaitVerdict,
        Connected,
    }

    public EncryptionLevel ReadLevel => _state switch
    {
        State.WaitServerHello => EncryptionLevel.Initial,
        State.Connected => EncryptionLevel.Application,
        _ => EncryptionLevel.Handshake,
    };

    public ReadOnlyMemory<byte> ClientRandom => _random;

    /// <summary>Whether nothing is missing for completion but the verdict on the server's certificate.</summary>
    internal bool IsFinishedRead => _state == State.WaitVerdict;

    public bool IsComplete => _state == State.Connected;

    public TlsFailure? HandleMessage(HandshakeType type, ReadOnlySpan<byte> message) => (_state, type) switch
    {
        (State.WaitServerHello, HandshakeType.ServerHello) => OnServerHello(message),
        (State.WaitEncryptedExtensions, HandshakeType.EncryptedExtensions) => OnEncryptedExtensions(message),
        (State.WaitCertificateRequest, HandshakeType.CertificateRequest) => OnCertificateRequest(message),
        (State.WaitCertificate, HandshakeType.Certificate) => OnCertificate(message),
        (State.WaitCertificateRequest, HandshakeType.Certificate) when !_usesRawPublicKeys => OnCertificate(message),
        (State.WaitCertificateVerify, HandshakeType.CertificateVerify) => OnCertificateVerify(message),
        (State.WaitFinished, HandshakeType.Finished) => OnFinished(message),
        (State.Connected, HandshakeType.NewSessionTicket) => NewSessionTicket.Read(Body(message)),

        // Among these is KeyUpdate, which QUIC forbids (RFC 9001 §6).
        _ => new TlsFailure(TlsAlert.UnexpectedMessage, $"handshake message {(byte)type} while the client is in {_state}"),
    };

    /// <summary>
    /// The server's certificate is good. Completes the handshake if everything else has come; does nothing in the second call, or before
    /// there is a certificate.
    /// </summary>
    internal void AcceptCertificate()
    {
        if (_state is not (State.WaitFinished or State.WaitVerdict) || _isPeerAccepted)
            return;
        _isPeerAccepted = true;
        if (_state == State.WaitVerdict)
            Complete();
    }

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

        if (hello.Group != _group)
            return new TlsFailure(TlsAlert.IllegalParameter, "the server's key share is of another group than the client's");

        _transcript.Append(message);
        Span<byte> sharedSecret = stackalloc byte[X25519.KeyLength];
        bool agreed = _privateKey.TryAgree(_group, hello.KeyShare, sharedSecret);
        _privateKey.Clear();
        if (!agreed)
            return new TlsFailure(TlsAlert.IllegalParameter, "the server's key share is no point of its curve, or has small order");
        _crypto = new HandshakeCrypto(isClient: true, _usesRawPublicKeys, _configuration, hello.Suite, _transcript, sharedSecret);
        CryptographicOperations.ZeroMemory(sharedSecret);
        _suite = hello.Suite;
        _outputs.Enqueue(_crypto.DeriveHandshakeSecrets());
        _state = State.WaitEncryptedExtensions;
        return null;
    }

    // RFC 8446 §4.1.2: the second ClientHello is the first one with the cookie added and the key share that was asked for. §4.1.4: a
    // request must change it, and may not ask for what was there.
    private TlsFailure? OnRetryRequest(ServerHello request, ReadOnlySpan<byte> message)
    {
        if (request.Group is { } group)
        {
            if (group == _group || !_configuration.KeyExchangeGroups.Contains(group))
                return new TlsFailure(TlsAlert.IllegalParameter, "HelloRetryRequest for a group not on offer or already shared");
            _group = group;
        }
        else if (request.Cookie.IsEmpty)
        {
            return new TlsFailure(TlsAlert.IllegalParameter, "HelloRetryRequest for nothing");
        }

        _retrySuite = request.Suite;
        _transcript.ReplaceByMessageHash(request.Suite.Hash());
        _transcript.Append(message);
        SendClientHello(request.Cookie);
        return null;
    }

    private TlsFailure? OnEncryptedExtensions(ReadOnlySpan<byte> message)
    {
        if (EncryptedExtensions.Read(Body(message), _usesRawPublicKeys, out EncryptedExtensions extensions) is { } failure)
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
        if (CertificateRequest.Read(Body(message), _usesRawPublicKeys) is { } failure)
            return failure;
        _crypto!.Append(message);
        _isCertificateRequested = true;
        _state = State.WaitCertificate;
        return null;
    }

    private TlsFailure? OnCertificate(ReadOnlySpan<byte> message) =>
        Advance(_crypto!.ReadCertificate(message), State.WaitCertificateVerify);

    private TlsFailure? OnCertificateVerify(ReadOnlySpan<byte> message)
    {
        if (_crypto!.ReadCertificateVerify(message) is { } failure)
            return failure;
        if (!_usesRawPublicKeys)
            _outputs.Enqueue(new TlsServerCertificate(_crypto.PeerCertificates));
        _state = State.WaitFinished;
        return null;
    }

    private TlsFailure? OnFinished(ReadOnlySpan<byte> message)
    {
        if (_crypto!.ReadFinished(message) is { } failure)
            return failure;
        _state = State.WaitVerdict;
        if (_isPeerAccepted)
            Complete();
        return null;
    }

    private void Complete()
    {
        HandshakeCrypto crypto = _crypto!;
        (byte[] read, byte[] write) = crypto.DeriveApplicationSecrets();
        var flight = new TlsWriter();
        if (_usesRawPublicKeys)
        {
            crypto.WriteAuthentication(flight);
        }
        else
        {
            if (_isCertificateRequested)
                crypto.WriteNoCertificate(flight);
            crypto.WriteFinished(flight);
        }

        crypto.Clear();
        _outputs.Enqueue(new TlsPeerTransportParameters(_peerTransportParameters));
        _outputs.Enqueue(new TlsCryptoData(EncryptionLevel.Handshake, flight.Written.ToArray()));
        _outputs.Enqueue(new TlsSecrets(EncryptionLevel.Application, _suite, read, write));
        _outputs.Enqueue(new TlsHandshakeComplete(_applicationProtocol, crypto.PeerPublicKey));
        _state = State.Connected;
    }

    private void SendClientHello(ReadOnlySpan<byte> cookie)
    {
        var flight = new TlsWriter();
        ClientHello.Write(flight, _configuration, _random, _group, _privateKey.PublicKey(_group), cookie);
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
