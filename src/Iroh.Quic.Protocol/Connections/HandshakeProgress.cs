using Iroh.Cryptography;
using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Datagrams;
using Iroh.Quic.Protocol.Diagnostics;
using Iroh.Quic.Protocol.Inbound;
using Iroh.Quic.Protocol.Outbound;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Streams;
using Iroh.Quic.Protocol.Timers;
using Iroh.Quic.Protocol.TransportParameters;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Connections;

/// <summary>What follows for the connection when TLS moves on: parameters take effect, keys come and go, data may flow (RFC 9001 §4).</summary>
internal sealed class HandshakeProgress
{
    private readonly Side _side;
    private readonly ConnectionState _state;
    private readonly ConnectionKeys _keys;
    private readonly CryptoStreams _crypto;
    private readonly PacketSpaces _spaces;
    private readonly Handshake _handshake;
    private readonly HandshakeIds _ids;
    private readonly PathTable _paths;
    private readonly StreamTable _streams;
    private readonly DatagramQueue _datagrams;
    private readonly ObservedAddresses _observed;
    private readonly Acknowledgements _acknowledgements;
    private readonly PendingFrames _pending;
    private readonly IdleTimeout _idle;
    private readonly NetworkPathFactory _pathFactory;
    private readonly ConnectionEvents _events;
    private readonly Queue<EndpointEvent> _endpointEvents;
    private readonly RandomSource _random;
    private readonly StatelessReset _reset;
    private readonly TraceSink? _trace;
    private TransportParameterSet? _peerParameters;
    private bool _hasHandshakeKeys;
    private bool _hasToldOfCertificate;

    public HandshakeProgress(
        ConnectionSetup setup,
        ConnectionState state,
        ConnectionKeys keys,
        CryptoStreams crypto,
        PacketSpaces spaces,
        Handshake handshake,
        HandshakeIds ids,
        PathTable paths,
        StreamTable streams,
        DatagramQueue datagrams,
        ObservedAddresses observed,
        Acknowledgements acknowledgements,
        PendingFrames pending,
        IdleTimeout idle,
        NetworkPathFactory pathFactory,
        ConnectionEvents events,
        Queue<EndpointEvent> endpointEvents)
    {
        (_side, _random, _reset, _trace) = (setup.Side, setup.Random, setup.Reset, setup.Trace);
        (_state, _keys, _crypto, _spaces, _handshake, _ids) = (state, keys, crypto, spaces, handshake, ids);
        (_paths, _streams, _datagrams, _observed, _acknowledgements) = (paths, streams, datagrams, observed, acknowledgements);
        (_pending, _idle, _pathFactory, _events, _endpointEvents) = (pending, idle, pathFactory, events, endpointEvents);
    }

    private Path Path => _paths.First;

    /// <summary>CRYPTO data arrived at a level.</summary>
    public TransportError? OnCryptoData(Instant now, EncryptionLevel level)
    {
        if (_handshake.OnCryptoData(level) is { } failure)
            return failure;
        if (!_hasToldOfCertificate && _handshake.PeerCertificates.Count > 0)
        {
            _hasToldOfCertificate = true;
            _events.Add(ConnectionEventKind.ServerCertificateShown);
        }

        return FollowTls(now);
    }

    /// <summary>The application has found a server's certificate good, or not.</summary>
    /// <param name="now">The present.</param>
    /// <param name="refusal">Null if it is good, otherwise the TLS alert and the reason.</param>
    public TransportError? OnCertificateVerdict(Instant now, (byte Alert, string Reason)? refusal)
    {
        TransportError? failure = refusal is { } no ? _handshake.RefuseCertificate(no.Alert, no.Reason) : _handshake.AcceptCertificate();
        return failure ?? FollowTls(now);
    }

    private TransportError? FollowTls(Instant now)
    {
        if (!_hasHandshakeKeys && _keys.Has(EncryptionLevel.Handshake))
        {
            _hasHandshakeKeys = true;
            Path.Loss.OnHandshakeKeysInstalled();
        }

        if (_peerParameters is null && _handshake.PeerParameters is { } bytes && ApplyParameters(bytes.Span) is { } error)
            return error;
        if (_state.Phase == ConnectionPhase.Handshaking && _handshake.IsComplete)
            Complete(now);
        return null;
    }

    /// <summary>A packet of the level authenticated (RFC 9000 §8.1, RFC 9001 §4.9.1).</summary>
    public void OnAuthenticated(Instant now, EncryptionLevel level)
    {
        _ids.OnAuthenticated();
        if (_side != Side.Server || level != EncryptionLevel.Handshake)
            return;

        // The client has the keys that it can only have from our Initial: it receives at its address, and needs Initial no more.
        if (!Path.Current.Validator.IsValidated)
        {
            Path.Current.MarkValidated();
            _trace?.PathValidated(now, Path.Id, Path.Current.Address);
        }

        Discard(now, EncryptionLevel.Initial);
    }

    /// <summary>A client has sent its first Handshake packet and needs Initial no more (RFC 9001 §4.9.1).</summary>
    public void OnHandshakePacketSent(Instant now)
    {
        if (_side == Side.Client)
            Discard(now, EncryptionLevel.Initial);
    }

    /// <summary>The handshake is confirmed (RFC 9001 §4.1.2): for a server when complete, for a client by HANDSHAKE_DONE.</summary>
    public void Confirm(Instant now)
    {
        if (!_state.Confirm())
            return;
        Path.Loss.OnHandshakeConfirmed();
        _keys.Application!.OnHandshakeConfirmed();
        Discard(now, EncryptionLevel.Initial);
        Discard(now, EncryptionLevel.Handshake);
        _events.Add(ConnectionEventKind.HandshakeConfirmed);
    }

    /// <summary>Issues as many connection ids as the peer keeps (RFC 9000 §5.1.1).</summary>
    public void IssueIds(Path path)
    {
        while (path.LocalIds.TryIssue(_random, _reset, out ConnectionId id))
            _endpointEvents.Enqueue(new EndpointEvent { Kind = EndpointEventKind.ConnectionIdIssued, ConnectionId = id });
    }

    private void Complete(Instant now)
    {
        _state.CompleteHandshake();
        _trace?.PhaseChanged(now, ConnectionPhase.Handshaking, ConnectionPhase.Established);
        _events.Add(ConnectionEventKind.Connected);
        _endpointEvents.Enqueue(new EndpointEvent { Kind = EndpointEventKind.HandshakeCompleted });
        IssueIds(Path);
        if (_side != Side.Server)
            return;
        _pending.HandshakeDone = true;
        Confirm(now);
    }

    private TransportError? ApplyParameters(ReadOnlySpan<byte> bytes)
    {
        Side peer = _side == Side.Client ? Side.Server : Side.Client;
        if (!TransportParameterReader.TryRead(bytes, peer, out TransportParameterSet? parameters, out TransportError? error))
            return error;
        if (_ids.Validate(parameters) is { } mismatch)
            return mismatch;
        _peerParameters = parameters;
        _streams.OnPeerParameters(LocalParameters.StreamLimitsOf(parameters));
        _datagrams.OnPeerParameters(parameters.MaxDatagramFrameSize);
        _observed.OnPeerParameters(parameters.AddressReports);
        _idle.OnPeerParameters(TimeSpan.FromMilliseconds(Math.Min(parameters.MaxIdleTimeoutMilliseconds, uint.MaxValue)));
        _acknowledgements.PeerAckDelayExponent = parameters.AckDelayExponent;
        Path.Loss.PeerMaxAckDelay = parameters.MaxAckDelay;
        _pathFactory.PeerUdpPayloadMax = parameters.MaxUdpPayloadSize;
        Path.Current.Recovery.Mtu.SetPeerLimit(parameters.MaxUdpPayloadSize);
        Path.LocalIds.SetPeerLimit(parameters.ActiveConnectionIdLimit);
        if (parameters.StatelessResetToken is { } token)
            Path.RemoteIds.SetHandshakeResetToken(token);
        return null;
    }

    private void Discard(Instant now, EncryptionLevel level)
    {
        if (!_keys.Discard(level))
            return;
        Path.Loss.OnKeysDiscarded(now, level, Path.Current.Recovery);
        _crypto.Discard(level);
        _spaces.Discard(level);
    }
}
