using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Datagrams;
using Iroh.Quic.Protocol.Diagnostics;
using Iroh.Quic.Protocol.Inbound;
using Iroh.Quic.Protocol.NatTraversal;
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
    private readonly PathIdSupply _supply;
    private readonly StreamTable _streams;
    private readonly DatagramQueue _datagrams;
    private readonly ObservedAddresses _observed;
    private readonly HolePunching _punching;
    private readonly Acknowledgements _acknowledgements;
    private readonly PendingFrames _pending;
    private readonly IdleTimeout _idle;
    private readonly NetworkPathFactory _pathFactory;
    private readonly ConnectionEvents _events;
    private readonly Queue<EndpointEvent> _endpointEvents;
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
        PathIdSupply supply,
        StreamTable streams,
        DatagramQueue datagrams,
        ObservedAddresses observed,
        HolePunching punching,
        Acknowledgements acknowledgements,
        PendingFrames pending,
        IdleTimeout idle,
        NetworkPathFactory pathFactory,
        ConnectionEvents events,
        Queue<EndpointEvent> endpointEvents)
    {
        (_side, _trace) = (setup.Side, setup.Trace);
        (_state, _keys, _crypto, _spaces, _handshake, _ids) = (state, keys, crypto, spaces, handshake, ids);
        (Path, _supply) = (paths.First, supply);
        (_streams, _datagrams, _observed, _punching, _acknowledgements) = (streams, datagrams, observed, punching, acknowledgements);
        (_pending, _idle, _pathFactory, _events, _endpointEvents) = (pending, idle, pathFactory, events, endpointEvents);
    }


    // The path of the handshake, also when it was given up since.
    private Path Path { get; }

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
        _punching.Begin();
        _events.Add(ConnectionEventKind.HandshakeConfirmed);
    }

    private void Complete(Instant now)
    {
        _state.CompleteHandshake();
        _trace?.PhaseChanged(now, ConnectionPhase.Handshaking, ConnectionPhase.Established);
        _events.Add(ConnectionEventKind.Connected);
        _endpointEvents.Enqueue(new EndpointEvent { Kind = EndpointEventKind.HandshakeCompleted });
        _supply.Begin(_peerParameters?.InitialMaxPathId?.Value);
        if (_supply.IsMultipath)
        {
            _pathFactory.LimitProbeTimeout(Path);
            _punching.Negotiate(_peerParameters?.NatTraversalAddressesMax ?? 0, _peerParameters?.PortSearch ?? false);
        }

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
        if (parameters.InitialMaxPathId is not null && Path.RemoteIds.Active.Length == 0)
            return new TransportError(TransportErrorCode.ProtocolViolation, "The peer offers several paths and has connection ids of no bytes.");
        _peerParameters = parameters;
        _streams.OnPeerParameters(LocalParameters.StreamLimitsOf(parameters));
        _datagrams.OnPeerParameters(parameters.MaxDatagramFrameSize);
        _observed.OnPeerParameters(parameters.AddressReports);
        _idle.OnPeerParameters(TimeSpan.FromMilliseconds(Math.Min(parameters.MaxIdleTimeoutMilliseconds, uint.MaxValue)));
        _acknowledgements.PeerAckDelayExponent = parameters.AckDelayExponent;
        Path.Loss.PeerMaxAckDelay = parameters.MaxAckDelay;
        _pathFactory.PeerUdpPayloadMax = parameters.MaxUdpPayloadSize;
        Path.Current.Recovery.Mtu.SetPeerLimit(parameters.MaxUdpPayloadSize);
        _pathFactory.PeerMaxAckDelay = parameters.MaxAckDelay;
        _supply.SetPeerLimit(parameters.ActiveConnectionIdLimit);
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
