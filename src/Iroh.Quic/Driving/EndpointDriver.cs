using System.Net;
using System.Net.Sockets;
using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Endpoint;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Sockets;
using Iroh.Tls;
using Iroh.Tls.Certificates;

namespace Iroh.Quic.Driving;

/// <summary>
/// The sockets of one endpoint with a thread each: receives, finds the connection, lets it answer. The first thread also keeps
/// the timers, by waiting no longer than until the next one. With nothing to do all threads sleep in the kernel.
/// </summary>
internal sealed class EndpointDriver : IAsyncDisposable
{
    /// <summary>
    /// How long disposal waits for peers to hear that their connections are closed. Three probe timeouts (RFC 9000 §10.2) are far
    /// below it on any working path.
    /// </summary>
    private static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(3);

    // What Deliver needs on whichever thread a virtual transport receives.
    [ThreadStatic]
    private static DeliveryScratch? t_scratch;

    // What hosts with certificates and their clients have in common: some speak nothing but P-256.
    private static readonly KeyExchangeGroup[] CertificateGroups = [KeyExchangeGroup.X25519, KeyExchangeGroup.Secp256r1];

    private readonly List<UdpSocket> _sockets = new(2);
    private readonly List<Task> _threads = new(2);
    private readonly UdpSocket? _v4;
    private readonly UdpSocket? _v6;
    private readonly DeadlineHeap _timers = new();
    private readonly Lock _routing = new();
    private readonly EndpointCore _core;
    private readonly Dictionary<ConnectionHandle, ConnectionDriver> _connections = [];
    private readonly QuicEndpointOptions _options;
    private readonly AcceptQueue _accepting;
    private readonly QuicMetrics _metrics;
    private IReadOnlyList<ReadOnlyMemory<byte>> _protocols = [];
    private CertificateIdentity? _certificate;
    private TlsConfiguration? _server;
    private Thread? _timerThread;
    private volatile bool _closing;
    private volatile bool _stopping;

    /// <summary>Binds the sockets; <see cref="Start"/> lets them work.</summary>
    /// <param name="options">Validated.</param>
    /// <param name="accepting">Takes the connections that peers dial.</param>
    /// <param name="metrics">What to count in.</param>
    /// <exception cref="QuicBindException">An address cannot be bound.</exception>
    public EndpointDriver(QuicEndpointOptions options, AcceptQueue accepting, QuicMetrics metrics)
    {
        (_options, _accepting, _metrics) = (options, accepting, metrics);
        _core = new EndpointCore(Core(options), OperatingSystemRandomSource.Instance);
        try
        {
            foreach (IPEndPoint local in options.LocalEndPoints)
            {
                UdpSocket socket = options.UsePortableSockets ? new PortableUdpSocket(local) : UdpSocket.Bind(local);
                _sockets.Add(socket);
                if (local.AddressFamily == AddressFamily.InterNetwork)
                    _v4 = socket;
                else
                    _v6 = socket;
            }
        }
        catch
        {
            foreach (UdpSocket socket in _sockets)
                socket.Dispose();
            throw;
        }
    }

    /// <summary>The addresses the sockets are bound to, with their real ports.</summary>
    public IEnumerable<IPEndPoint> LocalEndPoints => _sockets.Select(socket => socket.LocalEndPoint);

    /// <summary>What is counted.</summary>
    public QuicMetrics Metrics => _metrics;

    /// <summary>The most datagrams in one batch.</summary>
    public int SegmentsMax => _sockets[0].SegmentsMax;

    /// <summary>Starts the threads.</summary>
    public void Start()
    {
        foreach (UdpSocket socket in _sockets)
        {
            var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            bool keepsTimers = _timerThread is null;
            var thread = new Thread(() =>
            {
                Run(socket, keepsTimers);
                ended.SetResult();
            })
            {
                IsBackground = true,
                Name = $"QUIC {socket.LocalEndPoint}",
            };
            _timerThread ??= thread;
            _threads.Add(ended.Task);
            thread.Start();
        }
    }

    /// <summary>Whether there is a socket of the address's family.</summary>
    public bool CanReach(NetworkAddress address) =>
        address.IsVirtual ? _options.VirtualTransport is not null : SocketFor(address) is not null;

    /// <summary>Serves the clients that offer one of <paramref name="protocols"/> from now on; refuses all if there is none.</summary>
    public void SetServer(IReadOnlyList<ReadOnlyMemory<byte>> protocols)
    {
        lock (_routing)
        {
            _protocols = protocols;
            _server = IdentifyServer();
        }
    }

    /// <summary>Shows clients that dial a host by its name this certificate from now on; refuses them if it is null.</summary>
    public void SetServerCertificate(CertificateIdentity? certificate)
    {
        lock (_routing)
        {
            _certificate = certificate;
            _server = IdentifyServer();
        }
    }

    /// <summary>Starts a connection. Its first datagrams leave with the first <see cref="ConnectionDriver.Flush"/>.</summary>
    /// <param name="remotes">Where the server may be, at least one address.</param>
    /// <param name="options">What to dial with.</param>
    public ConnectionDriver Connect(NetworkAddress[] remotes, QuicConnectOptions options)
    {
        TlsConfiguration tls = IdentifyClient(options);
        lock (_routing)
        {
            ObjectDisposedException.ThrowIf(_closing, typeof(QuicEndpoint));
            Connection connection = _core.Connect(
                MonotonicClock.Now, new FourTuple(default, remotes[0]), options.Connection ?? _options.Connections, tls, out ConnectionHandle handle);
            var driver = new ConnectionDriver(this, handle, connection, remotes, null);
            _connections.Add(handle, driver);
            return driver;
        }
    }

    /// <summary>Hands a batch to the socket of its family; without one it is lost.</summary>
    public void Send(in Transmit transmit, ReadOnlySpan<byte> payload)
    {
        _metrics.OnSent(transmit.SegmentCount, transmit.Length);
        if (transmit.Path.Remote.IsVirtual)
            _options.VirtualTransport?.Send(transmit.Path.Remote, transmit.Ecn, payload, transmit.SegmentSize);
        else
            SocketFor(transmit.Path.Remote)?.Send(transmit.Path, transmit.Ecn, payload, transmit.SegmentSize);
    }

    /// <summary>Sends a datagram of another protocol; false if there is no socket for it.</summary>
    public bool SendOther(FourTuple path, ReadOnlySpan<byte> datagram)
    {
        if (SocketFor(path.Remote) is not { } socket)
            return false;
        socket.Send(path, EcnCodepoint.NotEct, datagram, datagram.Length);
        return true;
    }

    /// <summary>Takes datagrams that a virtual transport has received, on its thread.</summary>
    public void Deliver(FourTuple path, EcnCodepoint ecn, Span<byte> payload, int segmentSize)
    {
        if (_stopping)
            return;
        DeliveryScratch scratch = t_scratch ??= new DeliveryScratch();
        try
        {
            Dispatch(MonotonicClock.Now, new ReceivedDatagrams(path, ecn, payload, segmentSize), scratch.Response, scratch.Touched);
        }
        catch (Exception)
        {
            // As on the receiving threads: the datagram is lost, the endpoint lives on.
            _metrics.OnFailure();
        }

        foreach (ConnectionDriver connection in scratch.Touched)
            connection.Flush();
        scratch.Touched.Clear();
    }

    /// <summary>Has <see cref="ConnectionDriver.HandleTimer"/> called at <paramref name="deadline"/>.</summary>
    public void ScheduleTimer(ConnectionDriver connection, Instant deadline)
    {
        if (_timers.Advance(connection, deadline) && Thread.CurrentThread != _timerThread)
            _sockets[0].Wake();
    }

    /// <summary>Carries a connection's routing change to the endpoint's core.</summary>
    public void Apply(ConnectionHandle handle, EndpointEvent change)
    {
        lock (_routing)
            _core.HandleConnectionEvent(handle, change);
    }

    /// <summary>Lets go of a connection that has ended.</summary>
    public void Forget(ConnectionHandle handle, ConnectionDriver connection)
    {
        _timers.Remove(connection);
        lock (_routing)
            _connections.Remove(handle);
    }

    /// <summary>
    /// Closes all connections, waits until their peers had the time to learn of it, at most 3 seconds, and closes the sockets.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        ConnectionDriver[] connections;
        lock (_routing)
        {
            _closing = true;
            connections = [.. _connections.Values];
        }

        foreach (ConnectionDriver connection in connections)
            connection.Connection.Close(0, default);
        try
        {
            IEnumerable<Task> drained = connections.Where(connection => connection.OwesClose).Select(connection => connection.Connection.Drained);
            await Task.WhenAll(drained).WaitAsync(DrainTime).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Peers that have not heard of it by now will time out.
        }

        _stopping = true;
        foreach (UdpSocket socket in _sockets)
            socket.Wake();
        await Task.WhenAll(_threads).ConfigureAwait(false);
        foreach (UdpSocket socket in _sockets)
            socket.Dispose();
        foreach (ConnectionDriver connection in connections)
            connection.Abandon();
    }

    /// <summary>The bytes that decide the route of a packet with a short header: a flag bit and the destination connection id.</summary>
    private static bool HaveSameDestination(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second)
    {
        const int prefix = 1 + ConnectionIdGenerator.LocalLength;
        return first.Length >= prefix && second.Length >= prefix
            && ((first[0] | second[0]) & 0x80) == 0
            && first[1..prefix].SequenceEqual(second[1..prefix]);
    }

    private static TimeSpan TimeUntil(Instant deadline)
    {
        if (deadline == Instant.Never)
            return Timeout.InfiniteTimeSpan;
        TimeSpan left = deadline - MonotonicClock.Now;
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    private void Run(UdpSocket socket, bool keepsTimers)
    {
        byte[] response = new byte[EndpointCore.ResponseLengthMax];
        var touched = new List<ConnectionDriver>(8);
        AsyncSignal.DeferOnThisThread();
        while (!_stopping)
            Turn(socket, keepsTimers, response, touched);
    }

    // A method of its own: one that never returns is never replaced by its optimised form.
    private void Turn(UdpSocket socket, bool keepsTimers, byte[] response, List<ConnectionDriver> touched)
    {
        int count = socket.Receive();
        Instant now = MonotonicClock.Now;
        for (int i = 0; i < count; i++)
        {
            try
            {
                Dispatch(now, socket.Received(i), response, touched);
            }
            catch (Exception)
            {
                // A bug of ours in routing or in making a connection must not end the endpoint; the datagram is lost.
                _metrics.OnFailure();
            }
        }

        // Whoever waits for bytes gets them before anything is sent: an answer that follows at once takes the acknowledgment along.
        AsyncSignal.RunDeferred();
        foreach (ConnectionDriver connection in touched)
            connection.Flush();
        touched.Clear();
        if (keepsTimers)
        {
            while (_timers.TakeDue(now) is ConnectionDriver due)
                due.HandleTimer();
        }

        AsyncSignal.RunDeferred();
        if (!socket.MayHoldMore(count))
            socket.Wait(keepsTimers ? TimeUntil(_timers.Earliest) : Timeout.InfiniteTimeSpan);
    }

    private void Dispatch(Instant now, ReceivedDatagrams received, byte[] response, List<ConnectionDriver> touched)
    {
        Span<byte> rest = received.Payload;
        int size = received.SegmentSize;
        _metrics.OnReceived((rest.Length + size - 1) / size, rest.Length);
        while (!rest.IsEmpty)
        {
            int length = Math.Min(size, rest.Length);
            if ((rest[0] & PacketHeader.FixedBit) == 0)
            {
                _options.OtherDatagrams?.OnDatagram(received.Path, rest[..length]);
                rest = rest[length..];
                continue;
            }

            ConnectionDriver? connection = Route(now, received.Path, received.Ecn, rest[..length], response, out bool isFirst);
            if (isFirst)
            {
                touched.Add(connection!);
            }
            else if (connection is not null)
            {
                // Joined datagrams nearly always belong together; the route of the first is good for those that look like it.
                while (length < rest.Length && HaveSameDestination(rest, rest[length..Math.Min(length + size, rest.Length)]))
                    length = Math.Min(length + size, rest.Length);
                connection.HandleDatagrams(received.Path, received.Ecn, rest[..length], size);
                if (!touched.Contains(connection))
                    touched.Add(connection);
            }

            rest = rest[length..];
        }
    }

    /// <summary>Finds or makes the connection for a datagram; null if there is nothing more to do with it.</summary>
    /// <param name="isFirst">Whether the connection was made, and has taken the datagram with that.</param>
    private ConnectionDriver? Route(
        Instant now, FourTuple path, EcnCodepoint ecn, Span<byte> datagram, byte[] response, out bool isFirst)
    {
        Transmit answer;
        isFirst = false;
        lock (_routing)
        {
            DatagramRoute route = _core.HandleDatagram(now, path, ecn, datagram, response);
            switch (route.Destination)
            {
                case DatagramDestination.Connection:
                    return _connections.GetValueOrDefault(route.Handle);
                case DatagramDestination.Response:
                    answer = route.Response;
                    break;
                case DatagramDestination.Incoming when !_closing && _server is { } server && _accepting.TryTakePlace():
                    isFirst = true;
                    return Accept(now, route.Incoming!, server);
                case DatagramDestination.Incoming:
                    answer = _core.Refuse(route.Incoming!, response);
                    break;
                default:
                    _metrics.OnUnrouted();
                    return null;
            }
        }

        Send(answer, response.AsSpan(0, answer.Length));
        return null;
    }

    private ConnectionDriver Accept(Instant now, Incoming incoming, TlsConfiguration tls)
    {
        Connection connection = _core.Accept(now, incoming, _options.Connections, tls, out ConnectionHandle handle);
        var driver = new ConnectionDriver(this, handle, connection, null, _accepting.OnHandshakeEnded);
        _connections.Add(handle, driver);
        return driver;
    }

    // A quarter of the places is for whoever comes first; the others are for those who are where they say.
    private static EndpointConfiguration Core(QuicEndpointOptions options) => new()
    {
        HandshakesMax = options.AcceptQueueLength,
        HandshakesBeforeRetry = options.AlwaysRetries ? 0 : Math.Max(1, options.AcceptQueueLength / 4),
    };

    private TlsConfiguration IdentifyClient(QuicConnectOptions options)
    {
        var tls = new TlsConfiguration
        {
            ApplicationProtocols = options.ApplicationProtocols,
            PrivateKeySeed = _options.PrivateKeySeed,
            TransportParameters = default,
            ExpectedPeerPublicKey = options.ExpectedPeerPublicKey,
        };
        return options.ServerName is null
            ? tls
            : tls with { ServerName = options.ServerName, KeyExchangeGroups = CertificateGroups };
    }

    // Null if there is nothing for anybody. Clients with a key always have a share of the first group.
    private TlsConfiguration? IdentifyServer()
    {
        bool servesNames = _certificate is not null && _options.CertificateProtocols.Count > 0;
        if (_protocols.Count == 0 && !servesNames)
            return null;
        var tls = new TlsConfiguration
        {
            ApplicationProtocols = _protocols,
            PrivateKeySeed = _options.PrivateKeySeed,
            TransportParameters = default,
        };
        return servesNames
            ? tls with { Certificate = _certificate, CertificateProtocols = _options.CertificateProtocols, KeyExchangeGroups = CertificateGroups }
            : tls;
    }

    private UdpSocket? SocketFor(NetworkAddress address) => address.IsIPv4 ? _v4 : _v6;

    private sealed class DeliveryScratch
    {
        public byte[] Response { get; } = new byte[EndpointCore.ResponseLengthMax];

        public List<ConnectionDriver> Touched { get; } = new(8);
    }
}
