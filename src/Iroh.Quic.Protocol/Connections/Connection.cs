using Iroh.Cryptography;
using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Datagrams;
using Iroh.Quic.Protocol.Diagnostics;
using Iroh.Quic.Protocol.Inbound;
using Iroh.Quic.Protocol.NatTraversal;
using Iroh.Quic.Protocol.Outbound;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Recovery;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Quic.Protocol.Streams;
using Iroh.Quic.Protocol.Timers;
using Iroh.Quic.Protocol.TransportParameters;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Connections;

/// <summary>
/// One QUIC connection (RFC 9000, 9001, 9002, 9221), either end, without sockets, clock or threads.
/// <para>
/// Inputs: <see cref="HandleDatagram"/>, <see cref="HandleTimeout"/> and the commands of the application. Outputs, to be drained after every
/// input in this order: <see cref="TryGetTransmit"/> until false, <see cref="NextTimeout"/>, <see cref="TryGetEndpointEvent"/> until false,
/// <see cref="TryGetEvent"/> until false. Endpoint events must reach the endpoint before the datagrams leave.
/// </para>
/// <para>One owner at a time; nothing here is thread-safe. Created by <see cref="Endpoint.EndpointCore"/>.</para>
/// </summary>
public sealed partial class Connection : IDisposable
{
    private readonly ConnectionState _state = new();
    private readonly ConnectionKeys _keys = new();
    private readonly Lifecycle _lifecycle;
    private readonly Handshake _handshake;
    private readonly HandshakeProgress _progress;
    private readonly StreamTable _streams;
    private readonly DatagramQueue _datagrams;
    private readonly PathTable _paths;
    private readonly PathMovement _movement;
    private readonly PathIdSupply _pathIds;
    private readonly PathFrames _pathFrames;
    private readonly PathOpening _opening;
    private readonly PathClosing _closing;
    private readonly SilentPaths _silence;
    private readonly HolePunching _punching;
    private readonly DatagramReceiver _receiver;
    private readonly Acknowledgements _acknowledgements;
    private readonly SendScheduler _scheduler;
    private readonly DatagramBuilder _builder;
    private readonly SentPacketLog _sentPackets;
    private readonly KeyUpdateSchedule _keyUpdates;
    private readonly ConnectionEvents _events = new();
    private readonly Queue<EndpointEvent> _endpointEvents = new();
    private readonly TraceSink? _trace;
    private ulong _tracedKeyUpdates;
    private ulong _datagramsSent, _datagramsReceived, _bytesSent, _bytesReceived;

    internal Connection(Instant now, ConnectionSetup setup)
    {
        ConnectionConfiguration configuration = setup.Configuration;
        RandomSource random = setup.Random;
        Side = setup.Side;
        _trace = setup.Trace;

        // Rooms that stand alone.
        var ids = new HandshakeIds(Side, setup.LocalId, setup.OriginalDestinationId, setup.PeerId);
        var crypto = new CryptoStreams(new BlockPool(keepsFreeBlocks: false));
        var pending = new PendingFrames();
        var pendingIdFrames = new PendingIdFrames();
        var observed = new ObservedAddresses(configuration.AddressReports, _events);
        var search = new PortSearch(configuration.SearchesPorts, random, _events);
        int natAddressesMax = configuration.ConcurrentPathsMax > 1 ? configuration.NatTraversalAddressesMax : 0;
        _punching = new HolePunching(Side, natAddressesMax, configuration.InitialRtt, search, _events);
        var idle = new IdleTimeout(configuration.MaxIdleTimeout);
        var headerFields = new HeaderFields(setup.LocalId, random);
        var pathFactory = new NetworkPathFactory(configuration);
        var initial = new PacketNumberSpace(EncryptionLevel.Initial, random);
        var handshake = new PacketNumberSpace(EncryptionLevel.Handshake, random);
        _streams = new StreamTable(Side, LocalParameters.StreamsOf(setup), _events.FromStreams);
        _datagrams = new DatagramQueue(
            configuration.MaxDatagramFrameSize, configuration.DatagramReceiveBuffer, configuration.DatagramSendBuffer);
        _keyUpdates = new KeyUpdateSchedule(configuration.PacketsPerKeyMax);
        _movement = new PathMovement(pathFactory, configuration.KeepAliveInterval, _trace);
        Path path = CreateHandshakePath(setup, pathFactory, pendingIdFrames, initial, handshake);
        _paths = new PathTable(path);
        _pathIds = new PathIdSupply(setup, _paths, pendingIdFrames, _endpointEvents);

        // Outbound.
        var spaces = new PacketSpaces(initial, handshake, path);
        _pathFrames = new PathFrames(_paths, _pathIds, pendingIdFrames);
        var filler = new FrameFiller(crypto, _streams, _datagrams, pending, observed, _paths, _pathIds, _pathFrames, _punching, random);
        _sentPackets = new SentPacketLog(_trace);
        _scheduler = new SendScheduler(_state, _keys, _paths, spaces, filler, _punching);
        _builder = new DatagramBuilder(Side, _keys, spaces, new PacketBuilder(_keys, headerFields), filler, _punching, _sentPackets);

        // Inbound.
        var fates = new SentFrameFates(crypto, _streams, pending, spaces, _paths, _pathFrames, _punching);
        _acknowledgements = new Acknowledgements(_keys, _paths, spaces, filler, fates, _trace);
        _opening = new PathOpening(setup, _state, _paths, _pathIds, _pathFrames, pathFactory, _punching, _events);
        _closing = new PathClosing(_paths, _pathIds, _pathFrames, _acknowledgements, _events, _endpointEvents);
        _silence = new SilentPaths(_paths, _acknowledgements, _events);
        _lifecycle = new Lifecycle(_state, _keys, _paths, idle, configuration.InitialRtt, _endpointEvents, _trace);
        _handshake = new Handshake(CreateTls(setup), crypto, _keys);
        _progress = new HandshakeProgress(
            setup, _state, _keys, crypto, spaces, _handshake, ids, _paths, _pathIds, _streams, _datagrams, observed, _punching, _acknowledgements,
            pending, idle, pathFactory, _events, _endpointEvents);
        var pathFrameDispatcher = new PathFrameDispatcher(_paths, _pathIds, _closing, _acknowledgements, _events);
        var dispatcher = new FrameDispatcher(
            Side, crypto, _streams, _datagrams, observed, _acknowledgements, pathFrameDispatcher, _punching);
        _receiver = new DatagramReceiver(
            setup, _state, _lifecycle, _keys, ids, _progress, _paths, _movement, _opening, _pathIds, spaces, headerFields,
            _acknowledgements, dispatcher, _punching);

        _keys.SetInitial(setup.OriginalDestinationId, Side);
        if (setup.IdBeforeRetry is not null)
            _trace?.PathValidated(now, PathId.Zero, setup.Address);
        _lifecycle.RestartIdleTimer(now);
    }

    /// <summary>Which end this is.</summary>
    public Side Side { get; }

    /// <summary>Where the connection is in its life.</summary>
    public ConnectionPhase Phase => _state.Phase;

    /// <summary>Why the connection ended; null while it has not.</summary>
    public CloseReason? CloseReason => _state.Reason;

    /// <summary>Whether nothing will be sent or received any more; the connection can be dropped.</summary>
    public bool IsDrained => _state.Phase == ConnectionPhase.Drained;

    /// <summary>Whether the connection ended because the peer has proven to be somebody else than was dialled.</summary>
    public bool IsPeerMismatch => _handshake.IsPeerMismatch;

    /// <summary>The protocol that both ends agreed on (ALPN); empty until <see cref="ConnectionEventKind.Connected"/>.</summary>
    public ReadOnlyMemory<byte> ApplicationProtocol => _handshake.ApplicationProtocol;

    /// <summary>
    /// The peer's proven Ed25519 public key, 32 bytes; empty until <see cref="ConnectionEventKind.Connected"/>, and where X.509 certificates
    /// are used.
    /// </summary>
    public ReadOnlyMemory<byte> PeerPublicKey => _handshake.PeerPublicKey;

    /// <summary>
    /// The X.509 certificates (DER, its own first) of a server that was dialled by its name; empty until
    /// <see cref="ConnectionEventKind.ServerCertificateShown"/>.
    /// </summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> PeerCertificates => _handshake.PeerCertificates;

    /// <summary>The addresses in use: of the first path that carries data.</summary>
    public FourTuple Address => PathInUse.Current.Address;

    /// <summary>
    /// The longest datagram that can be sent now, in bytes; 0 if the peer takes none. Changes with the paths in use and their MTU.
    /// </summary>
    public int MaxDatagramSize => _datagrams.MaxLength(SmallestPacketSpace());

    /// <summary>The paths, for tests that look inside.</summary>
    internal PathTable Paths => _paths;

    /// <summary>The keys, for tests that seal packets which no honest end would send.</summary>
    internal ConnectionKeys Keys => _keys;

    /// <summary>The path ids, for tests that look inside.</summary>
    internal PathIdSupply PathIds => _pathIds;

    /// <summary>When to call <see cref="HandleTimeout"/>, <see cref="Instant.Never"/> if not. May be in the past: then at once.</summary>
    public Instant NextTimeout
    {
        get
        {
            Instant next = _lifecycle.NextTimeout;
            if (!_state.IsOpen)
                return next;
            next = Instant.Min(next, Instant.Min(_closing.NextTimeout, _punching.NextTimeout));
            for (int i = 0; i < _paths.Count; i++)
                next = Instant.Min(next, _paths[i].Timers.Next);
            return _keys.Application is { } keys ? Instant.Min(next, keys.NextTimeout) : next;
        }
    }

    /// <summary>Counters and measurements as they are now.</summary>
    public ConnectionStatistics Statistics
    {
        get
        {
            PathRecovery recovery = PathInUse.Current.Recovery;
            return new ConnectionStatistics
            {
                SmoothedRtt = recovery.Rtt.Smoothed,
                MinRtt = recovery.Rtt.Min,
                LatestRtt = recovery.Rtt.FirstSampleAt == Instant.Never ? TimeSpan.Zero : recovery.Rtt.Latest,
                CongestionWindow = (ulong)recovery.Congestion.Window,
                BytesInFlight = (ulong)recovery.Congestion.BytesInFlight,
                Mtu = recovery.Mtu.Current,
                BytesSent = _bytesSent,
                BytesReceived = _bytesReceived,
                BytesLost = _acknowledgements.BytesLost,
                DatagramsSent = _datagramsSent,
                DatagramsReceived = _datagramsReceived,
                PacketsSent = _sentPackets.PacketsSent,
                PacketsReceived = _receiver.PacketsReceived,
                PacketsLost = _acknowledgements.PacketsLost,
                PacketsDropped = _receiver.PacketsDropped,
                CongestionEvents = (ulong)recovery.Congestion.CongestionEvents,
                KeyUpdates = _tracedKeyUpdates,
                ProbeTimeouts = _acknowledgements.ProbeTimeouts,
                Migrations = _movement.Migrations,
            };
        }
    }

    /// <summary>
    /// Whether a read has made frames that <see cref="TryGetTransmit"/> should send: an owner with many small reads need not look after each.
    /// </summary>
    public bool HasStreamFrames => _streams.HasPendingFrames;

    /// <summary>Takes a datagram that the endpoint routed here.</summary>
    /// <param name="now">When it arrived, not before the time of any earlier call.</param>
    /// <param name="path">Its source as remote and its destination as local address.</param>
    /// <param name="ecn">Its ECN mark.</param>
    /// <param name="datagram">Its bytes. They are decrypted in place; the buffer is the caller's again on return.</param>
    public void HandleDatagram(Instant now, FourTuple path, EcnCodepoint ecn, Span<byte> datagram)
    {
        _datagramsReceived++;
        _bytesReceived += (ulong)datagram.Length;
        _receiver.Handle(now, path, ecn, datagram);
        OpenPunchedPaths(now);
        UpdateTimers(now);
    }

    /// <summary>Handles the timers that have expired; harmless if none has.</summary>
    public void HandleTimeout(Instant now)
    {
        _lifecycle.HandleTimeout(now);
        if (_state.IsOpen)
        {
            _keys.Application?.HandleTimeout(now);
            HandlePathTimeouts(now);
            _punching.HandleTimeout(now, _paths.HasDirect);
        }

        UpdateTimers(now);
    }

    /// <summary>Writes the next datagrams that should be sent.</summary>
    /// <param name="now">The time of sending.</param>
    /// <param name="buffer">At least 1200 bytes, better <paramref name="segmentsMax"/> times the largest MTU that is configured.</param>
    /// <param name="segmentsMax">How many datagrams of one size may be written one after the other. At least 1.</param>
    /// <param name="transmit">What was written.</param>
    /// <returns>False if there is nothing to send now.</returns>
    public bool TryGetTransmit(Instant now, Span<byte> buffer, int segmentsMax, out Transmit transmit)
    {
        transmit = default;
        int length = 0, segmentSize = 0;
        for (int segments = 0; segments < segmentsMax; segments++)
        {
            int space = segments == 0 ? buffer.Length : segmentSize;
            if (buffer.Length - length < Math.Max(space, MtuDiscovery.BaseSize))
                break;
            PrepareKeys(now);
            SendPlan plan = _scheduler.Next(now, space);
            if (plan.Kind == SendKind.Nothing || (segments > 0 && !CanJoin(plan, transmit)))
                break;
            BuiltDatagram built = _builder.Build(now, plan, buffer[length..], _state);
            if (built.Length == 0)
                break;
            OnDatagramBuilt(now, plan, built);
            length += built.Length;
            if (segments == 0)
                segmentSize = built.Length;
            transmit = new Transmit(plan.Address, length, segmentSize, plan.Ecn);
            if (!built.IsOneRttOnly || built.Length < segmentSize)
                break;
        }

        if (length > 0)
            UpdateTimers(now);
        return length > 0;
    }

    /// <summary>Takes the next change for the endpoint's routing tables.</summary>
    public bool TryGetEndpointEvent(out EndpointEvent e) => _endpointEvents.TryDequeue(out e);

    /// <summary>Takes the next event for the application.</summary>
    public bool TryGetEvent(out ConnectionEvent e) => _events.TryTake(_datagrams, isClosed: _state.Reason is not null, out e);

    /// <summary>
    /// Ends the connection at the application's wish. What was not sent is dropped. Before the handshake is complete the peer learns only
    /// that it was the application (RFC 9000 §10.2.3). Does nothing if the connection has ended already.
    /// </summary>
    /// <param name="now">The present.</param>
    /// <param name="applicationCode">At most 2^62-1.</param>
    /// <param name="reason">UTF-8, copied; cut to what fits into a packet.</param>
    public void Close(Instant now, ulong applicationCode, ReadOnlySpan<byte> reason)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(applicationCode, Codec.VarInt.Max);
        _lifecycle.Close(now, new CloseReason(CloseCause.LocalApplication, applicationCode, 0, reason.ToArray()));
    }

    /// <summary>
    /// Answers <see cref="ConnectionEventKind.ServerCertificateShown"/>: the server is the one that was dialled. Does nothing if no answer is
    /// awaited.
    /// </summary>
    public void AcceptCertificate(Instant now) => Judge(now, null);

    /// <summary>
    /// Answers <see cref="ConnectionEventKind.ServerCertificateShown"/>: the connection ends. Does nothing once the handshake is complete.
    /// </summary>
    /// <param name="now">The present.</param>
    /// <param name="alert">One of <see cref="TlsAlert"/>; the close has 0x100 more.</param>
    /// <param name="reason">What was wrong, for people at both ends.</param>
    public void RefuseCertificate(Instant now, byte alert, string reason) => Judge(now, (alert, reason));

    /// <summary>Updates the 1-RTT keys as soon as RFC 9001 §6.1 allows it.</summary>
    public void UpdateKeys() => _keyUpdates.IsWanted = true;

    /// <summary>Wipes the keys. For an owner that drops the connection before it is drained; nothing can be sent or read afterwards.</summary>
    public void Dispose() => _keys.Dispose();

    private void Judge(Instant now, (byte Alert, string Reason)? refusal)
    {
        if (!_state.IsOpen || Phase != ConnectionPhase.Handshaking)
            return;
        if (_progress.OnCertificateVerdict(now, refusal) is { } error)
            _lifecycle.Close(now, error);
        UpdateTimers(now);
    }

    private static Path CreateHandshakePath(
        ConnectionSetup setup,
        NetworkPathFactory factory,
        PendingIdFrames pendingFrames,
        PacketNumberSpace initial,
        PacketNumberSpace handshake)
    {
        bool isValidated = setup.Side == Side.Client || setup.IdBeforeRetry is not null;
        var application = new PacketNumberSpace(EncryptionLevel.Application, setup.Random);
        return new Path(
            PathId.Zero,
            new NetworkPath(setup.Address, factory.CreateRecovery(0, isValidated), isValidated),
            application,
            new LossDetector(setup.Side, initial, handshake, application),
            new LocalIds(PathId.Zero, setup.LocalId, pendingFrames),
            new RemoteIds(
                PathId.Zero, setup.Configuration.ActiveConnectionIdLimit, setup.PeerId ?? setup.OriginalDestinationId, pendingFrames))
        {
            IsOpened = true,
            CarriesData = true,
            CarriesControl = true,
        };
    }

    private static TlsSession CreateTls(ConnectionSetup setup)
    {
        byte[] parameters = TransportParameterWriter.Write(LocalParameters.Of(setup), setup.Random);
        TlsConfiguration tls = setup.Tls with { TransportParameters = parameters };
        return setup.Side == Side.Client ? TlsSession.CreateClient(tls, setup.Random) : TlsSession.CreateServer(tls, setup.Random);
    }

    // All datagrams of a batch have one size, destination and mark.
    private static bool CanJoin(in SendPlan plan, in Transmit batch) =>
        plan.Kind == SendKind.Packets && plan.SizeMax == batch.SegmentSize && plan.Address == batch.Path && plan.Ecn == batch.Ecn;

    private void PrepareKeys(Instant now)
    {
        if (_state.IsOpen && _keys.Application is { } keys && _keyUpdates.PrepareToSend(now, keys) is { } error)
            _lifecycle.Close(now, error); // the close itself can still be sealed
    }

    private void OnDatagramBuilt(Instant now, in SendPlan plan, in BuiltDatagram built)
    {
        _datagramsSent++;
        _bytesSent += (ulong)built.Length;
        plan.Network?.Recovery.Amplification.OnDatagramSent(built.Length);
        _keyUpdates.OnPacketSent();
        plan.Path.BytesSent += (ulong)built.Length;
        if (plan.Kind == SendKind.Close)
            _lifecycle.OnCloseSent(plan.Path);
        if (built.IsAckEliciting)
            _lifecycle.OnAckElicitingSent(now);
        if (built.HasHandshakePacket)
            _progress.OnHandshakePacketSent(now);
        if (_state.IsHandshakeComplete && plan.Network is not null)
            _movement.OnActivity(now, plan.Path);
    }

    private void UpdateTimers(Instant now)
    {
        if (_keys.Application is { } keys && keys.Generation != _tracedKeyUpdates)
        {
            _tracedKeyUpdates = keys.Generation;
            _trace?.KeysUpdated(now, keys.Generation);
        }

        UpdatePathTimers(now);
    }
}
