using System.Security.Cryptography;
using Iroh.Cryptography;
using Iroh.Tls.HandshakeMessages;
using Iroh.Tls.KeyExchange;

namespace Iroh.Tls;

/// <summary>
/// The server's state machine (RFC 8446 §A.2), one message a step:
/// ClientHello (answered by at most one HelloRetryRequest, then again) → Certificate → CertificateVerify → Finished →
/// connected, where nothing more may come. A client that is served with an X.509 certificate sends of these Finished alone.
/// </summary>
internal sealed class ServerHandshake : IHandshake
{
    private readonly TlsConfiguration _configuration;
    private readonly Queue<TlsOutput> _outputs;
    private readonly Transcript _transcript = new();
    private readonly byte[] _random = new byte[32];
    private readonly EphemeralKey _privateKey;
    private bool _usesRawPublicKeys;
    private SignatureScheme _scheme;
    private KeyExchangeGroup _group;
    private byte[] _clientRandom = [];
    private State _state = State.WaitClientHello;
    private CipherSuite? _retrySuite;
    private CipherSuite _suite;
    private HandshakeCrypto? _crypto;
    private byte[] _applicationReadSecret = [];
    private ReadOnlyMemory<byte> _applicationProtocol;

    /// <summary>Draws random and key share, and waits.</summary>
    internal ServerHandshake(TlsConfiguration configuration, RandomSource random, Queue<TlsOutput> outputs)
    {
        _configuration = configuration;
        _outputs = outputs;
        random.Fill(_random);
        _privateKey = new EphemeralKey(random);
    }

    private enum State
    {
        WaitClientHello,
        WaitCertificate,
        WaitCertificateVerify,
        WaitFinished,
        Connected,
    }

    public EncryptionLevel ReadLevel => _state switch
    {
        State.WaitClientHello => EncryptionLevel.Initial,
        State.Connected => EncryptionLevel.Application,
        _ => EncryptionLevel.Handshake,
    };

    public ReadOnlyMemory<byte> ClientRandom => _clientRandom;

    public bool IsComplete => _state == State.Connected;

    public TlsFailure? HandleMessage(HandshakeType type, ReadOnlySpan<byte> message) => (_state, type) switch
    {
        (State.WaitClientHello, HandshakeType.ClientHello) => OnClientHello(message),
        (State.WaitCertificate, HandshakeType.Certificate) =>
            Advance(_crypto!.ReadCertificate(message), State.WaitCertificateVerify),
        (State.WaitCertificateVerify, HandshakeType.CertificateVerify) =>
            Advance(_crypto!.ReadCertificateVerify(message), State.WaitFinished),
        (State.WaitFinished, HandshakeType.Finished) => OnFinished(message),

        // Among these is KeyUpdate, which QUIC forbids (RFC 9001 §6).
        _ => new TlsFailure(TlsAlert.UnexpectedMessage, $"handshake message {(byte)type} while the server is in {_state}"),
    };

    private TlsFailure? OnClientHello(ReadOnlySpan<byte> message)
    {
        if (ClientHello.Read(Body(message), out ClientHello hello) is { } failure)
            return failure;
        if (CheckOffer(hello) is { } refusal)
            return refusal;
        if (_retrySuite is { } retrySuite)
        {
            // RFC 8446 §4.1.2: but for the key share the second ClientHello is the first one again.
            if (_suite != retrySuite || !hello.Random.SequenceEqual(_clientRandom) || hello.KeyShare(_group).IsEmpty)
                return new TlsFailure(TlsAlert.IllegalParameter, "the second ClientHello does not do what was asked for");
        }

        _clientRandom = hello.Random.ToArray();
        _transcript.Append(message);
        if (hello.KeyShare(_group).IsEmpty)
        {
            SendRetryRequest();
            return null;
        }

        return SendFlight(hello);
    }

    // Everything that must be in common, most fundamental first. Suite and protocol are chosen on the way.
    private TlsFailure? CheckOffer(ClientHello hello)
    {
        if (!ClientHello.Contains(hello.SupportedVersions, CodePoint.Tls13))
            return new TlsFailure(TlsAlert.ProtocolVersion, "the client does not speak TLS 1.3");
        if (!TryChooseSuite(hello.CipherSuites))
            return new TlsFailure(TlsAlert.HandshakeFailure, "no common cipher suite");
        if (hello.SignatureAlgorithms.IsEmpty)
            return new TlsFailure(TlsAlert.MissingExtension, "ClientHello without signature_algorithms");
        if (hello.SupportedGroups.IsEmpty || !hello.HasKeyShare)
            return new TlsFailure(TlsAlert.MissingExtension, "ClientHello without supported_groups or key_share");
        if (ChooseGroup(hello) is { } groupFailure)
            return groupFailure;
        if (ChooseIdentity(hello) is { } identityFailure)
            return identityFailure;
        if (!hello.HasTransportParameters)
            return new TlsFailure(TlsAlert.MissingExtension, "the client sent no transport parameters");
        return TryChooseProtocol(hello.ApplicationProtocols)
            ? null
            : new TlsFailure(TlsAlert.NoApplicationProtocol, "no common application protocol");
    }

    // The first own group that came with a share, otherwise the first that the client can be asked for.
    private TlsFailure? ChooseGroup(ClientHello hello)
    {
        if (_retrySuite is not null)
            return null;
        KeyExchangeGroup? withoutShare = null;
        foreach (KeyExchangeGroup own in _configuration.KeyExchangeGroups)
        {
            bool hasShare = !hello.KeyShare(own).IsEmpty;
            if (ClientHello.Contains(hello.SupportedGroups, (ushort)own))
            {
                _group = own;
                if (hasShare)
                    return null;
                withoutShare ??= own;
            }
            else if (hasShare)
            {
                return new TlsFailure(TlsAlert.IllegalParameter, "a key share of a group that the client does not support");
            }
        }

        _group = withoutShare ?? default;
        return withoutShare is null ? new TlsFailure(TlsAlert.HandshakeFailure, "no common key exchange group") : null;
    }

    // Raw public keys on both sides if the client can and this side has protocols for it, otherwise the certificate.
    private TlsFailure? ChooseIdentity(ClientHello hello)
    {
        _usesRawPublicKeys = _configuration.ApplicationProtocols.Count > 0
            && hello.ClientCertificateTypes.Contains(CodePoint.RawPublicKey)
            && hello.ServerCertificateTypes.Contains(CodePoint.RawPublicKey);
        if (_usesRawPublicKeys)
        {
            return ClientHello.Contains(hello.SignatureAlgorithms, (ushort)SignatureScheme.Ed25519)
                ? null
                : new TlsFailure(TlsAlert.HandshakeFailure, "the client does not accept Ed25519 signatures");
        }

        // DEVIATES: RFC 7250 §4.2 has unsupported_certificate; iroh's servers answer handshake_failure.
        bool takesX509 = hello.ServerCertificateTypes.IsEmpty || hello.ServerCertificateTypes.Contains(CodePoint.X509Certificate);
        if (_configuration.Certificate is null || !takesX509)
            return new TlsFailure(TlsAlert.HandshakeFailure, "the client does not use raw public keys, or there is nothing for those that do");
        return _configuration.Certificate.TryChooseScheme(hello.SignatureAlgorithms, out _scheme)
            ? null
            : new TlsFailure(TlsAlert.HandshakeFailure, "the client accepts no signature that the certificate's key can make");
    }

    private bool TryChooseSuite(ReadOnlySpan<byte> offered)
    {
        var reader = new TlsReader(offered);
        while (reader.TryReadUInt16(out ushort value))
        {
            _suite = (CipherSuite)value;
            if (_configuration.CipherSuites.Contains(_suite))
                return true;
        }

        return false;
    }

    private bool TryChooseProtocol(ReadOnlySpan<byte> offered)
    {
        foreach (ReadOnlyMemory<byte> own in _usesRawPublicKeys ? _configuration.ApplicationProtocols : _configuration.CertificateProtocols)
        {
            var reader = new TlsReader(offered);
            while (reader.TryReadVector8(out ReadOnlySpan<byte> name))
            {
                if (!name.SequenceEqual(own.Span))
                    continue;
                _applicationProtocol = own;
                return true;
            }
        }

        return false;
    }

    private void SendRetryRequest()
    {
        _retrySuite = _suite;
        _transcript.ReplaceByMessageHash(_suite.Hash());
        var flight = new TlsWriter();
        ServerHello.WriteRetryRequest(flight, _suite, _group);
        _transcript.Append(flight.Written);
        _outputs.Enqueue(new TlsCryptoData(EncryptionLevel.Initial, flight.Written.ToArray()));
    }

    private TlsFailure? SendFlight(ClientHello hello)
    {
        Span<byte> sharedSecret = stackalloc byte[X25519.KeyLength];
        byte[] publicKey = _privateKey.PublicKey(_group);
        bool agreed = _privateKey.TryAgree(_group, hello.KeyShare(_group), sharedSecret);
        _privateKey.Clear();
        if (!agreed)
            return new TlsFailure(TlsAlert.IllegalParameter, "the client's key share is no point of its curve, or has small order");

        var flight = new TlsWriter();
        ServerHello.Write(flight, _random, _suite, _group, publicKey);
        _transcript.Append(flight.Written);
        var crypto = new HandshakeCrypto(isClient: false, _usesRawPublicKeys, _configuration, _suite, _transcript, sharedSecret);
        CryptographicOperations.ZeroMemory(sharedSecret);
        _outputs.Enqueue(new TlsPeerTransportParameters(hello.TransportParameters.ToArray()));
        _outputs.Enqueue(new TlsCryptoData(EncryptionLevel.Initial, flight.Written.ToArray()));
        _outputs.Enqueue(crypto.DeriveHandshakeSecrets());

        flight.Clear();
        EncryptedExtensions.Write(flight, _usesRawPublicKeys, _applicationProtocol.Span, _configuration.TransportParameters.Span);
        if (_usesRawPublicKeys)
        {
            CertificateRequest.Write(flight);
            crypto.Append(flight.Written);
            crypto.WriteAuthentication(flight);
        }
        else
        {
            crypto.Append(flight.Written);
            crypto.WriteAuthentication(flight, _configuration.Certificate!, _scheme);
        }

        (_applicationReadSecret, byte[] writeSecret) = crypto.DeriveApplicationSecrets();
        _outputs.Enqueue(new TlsCryptoData(EncryptionLevel.Handshake, flight.Written.ToArray()));

        // RFC 8446 §2: a server may send application data from here on, but believe none before the client's Finished.
        _outputs.Enqueue(new TlsSecrets(EncryptionLevel.Application, _suite, ReadSecret: null, writeSecret));
        _crypto = crypto;
        _state = _usesRawPublicKeys ? State.WaitCertificate : State.WaitFinished;
        return null;
    }

    private TlsFailure? OnFinished(ReadOnlySpan<byte> message)
    {
        HandshakeCrypto crypto = _crypto!;
        if (crypto.ReadFinished(message) is { } failure)
            return failure;
        crypto.Clear();
        _outputs.Enqueue(new TlsSecrets(EncryptionLevel.Application, _suite, _applicationReadSecret, WriteSecret: null));
        _outputs.Enqueue(new TlsHandshakeComplete(_applicationProtocol, crypto.PeerPublicKey));
        _applicationReadSecret = [];
        _state = State.Connected;
        return null;
    }

    private TlsFailure? Advance(TlsFailure? failure, State next)
    {
        if (failure is null)
            _state = next;
        return failure;
    }

    private static ReadOnlySpan<byte> Body(ReadOnlySpan<byte> message) => message[MessageAssembler.HeaderLength..];
}
