using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using Iroh.Quic.Protocol.Connections;

namespace Iroh.Quic.Tests;

public sealed class ConnectionTests
{
    private const int Timeout = 60_000;

    [Fact(Timeout = Timeout)]
    public async Task Both_ends_know_each_other()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        Assert.Equal(pair.Server.PublicKey.ToArray(), client.PeerPublicKey.ToArray());
        Assert.Equal(pair.Client.PublicKey.ToArray(), server.PeerPublicKey.ToArray());
        Assert.Equal(EndpointPair.Protocol.ToArray(), client.ApplicationProtocol.ToArray());
        Assert.Equal(EndpointPair.Protocol.ToArray(), server.ApplicationProtocol.ToArray());
        Assert.Equal(pair.Server.LocalEndPoints[0], client.RemoteEndPoint);
        Assert.Equal(pair.Client.LocalEndPoints[0], server.RemoteEndPoint);
        Assert.True(client.HandshakeDuration > TimeSpan.Zero);
        Assert.True(client.Statistics.PacketsReceived > 0);
        Assert.False(client.Closed.IsCompleted);
    }

    [Theory(Timeout = Timeout)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_close_tells_both_ends_code_and_reason(bool clientCloses)
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        (QuicConnection closer, QuicConnection other) = clientCloses ? (client, server) : (server, client);
        Task<QuicStream> accept = other.AcceptBidirectionalStreamAsync(stop).AsTask();

        await closer.CloseAsync(42, "enough");

        Assert.Equal(new QuicCloseReason(QuicCloseKind.LocallyClosed, 42, "enough"), await closer.Closed.WaitAsync(stop));
        Assert.Equal(new QuicCloseReason(QuicCloseKind.ApplicationClosed, 42, "enough"), await other.Closed.WaitAsync(stop));
        var failure = await Assert.ThrowsAsync<QuicConnectionException>(() => accept);
        Assert.Equal((QuicCloseKind.ApplicationClosed, 42UL, false), (failure.Kind, failure.Code, failure.IsTransient));
        await Assert.ThrowsAsync<QuicConnectionException>(async () => await closer.OpenBidirectionalStreamAsync(stop));
        Assert.Throws<QuicConnectionException>(() => other.TrySendDatagram([1]));
        await Assert.ThrowsAsync<QuicConnectionException>(async () => await closer.ReceiveDatagramAsync(stop));
    }

    [Fact(Timeout = Timeout)]
    public async Task A_close_ends_reads_and_writes_under_way()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        (QuicStream opened, QuicStream accepted) = await StreamEndTests.OpenAsync(client, server, stop);
        Task<int> read = opened.ReadAsync(new byte[1], stop).AsTask();
        Task write = accepted.WriteAsync(new byte[32 << 20], stop).AsTask();
        Task finished = accepted.WritesFinished;

        // The reader has bytes of the write before it hears of the close; nothing after the first read matters here.
        await read;
        await client.CloseAsync(7);

        Assert.Equal(7UL, (await Assert.ThrowsAsync<QuicConnectionException>(() => write)).Code);
        await Assert.ThrowsAsync<QuicConnectionException>(() => finished);
        await Assert.ThrowsAsync<QuicConnectionException>(async () => await accepted.ReadAsync(new byte[1], stop));
    }

    [Fact(Timeout = Timeout)]
    public async Task Datagrams_arrive_both_ways()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        Task<byte[]> arrival = server.ReceiveDatagramAsync(stop).AsTask();
        Assert.True(client.TrySendDatagram("ping"u8));
        Assert.Equal("ping"u8.ToArray(), await arrival);
        await server.SendDatagramAsync("pong"u8.ToArray(), stop);
        Assert.Equal("pong"u8.ToArray(), await client.ReceiveDatagramAsync(stop));

        Assert.True(client.TrySendDatagram([]));
        Assert.Empty(await server.ReceiveDatagramAsync(stop));

        byte[] largest = EndpointPair.Bytes(client.MaxDatagramSize);
        Assert.True(largest.Length > 1000);
        await client.SendDatagramAsync(largest, stop);
        Assert.Equal(largest, await server.ReceiveDatagramAsync(stop));
        Assert.Throws<ArgumentException>(() => client.TrySendDatagram(new byte[65_536]));
    }

    [Fact(Timeout = Timeout)]
    public async Task Datagrams_to_a_peer_that_takes_none_are_refused()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair(connections: new ConnectionConfiguration { MaxDatagramFrameSize = 0 });
        (QuicConnection client, _) = await pair.ConnectAsync(stop);
        Assert.Equal(0, client.MaxDatagramSize);
        Assert.Throws<NotSupportedException>(() => client.TrySendDatagram([1]));
    }

    [Fact(Timeout = Timeout)]
    public async Task New_keys_do_not_disturb_the_streams()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        (QuicStream opened, QuicStream accepted) = await StreamEndTests.OpenAsync(client, server, stop);
        byte[] answer = new byte[5];
        for (int i = 0; i < 4; i++)
        {
            client.UpdateKeys();
            await opened.WriteAsync("hello"u8.ToArray(), stop);
            await accepted.ReadExactlyAsync(answer, stop);
            await accepted.WriteAsync(answer, stop);
            await opened.ReadExactlyAsync(answer, stop);
            Assert.Equal("hello"u8.ToArray(), answer);
        }

        Assert.True(client.Statistics.KeyUpdates > 0);
    }

    [Fact(Timeout = Timeout)]
    public async Task Of_several_addresses_the_live_one_is_found()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        using var silent = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        silent.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        using var silentSix = new Socket(AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp);
        silentSix.Bind(new IPEndPoint(IPAddress.IPv6Loopback, 0));
        await using QuicEndpoint server = EndpointPair.CreateEndpoint(1, IPAddress.Loopback);
        await using QuicEndpoint client = QuicEndpoint.Create(new QuicEndpointOptions { PrivateKeySeed = EndpointPair.Seed(2) });

        QuicConnection connection = await client.ConnectAsync(
            new QuicConnectOptions
            {
                RemoteEndPoints = [(IPEndPoint)silentSix.LocalEndPoint!, (IPEndPoint)silent.LocalEndPoint!, server.LocalEndPoints[0]],
                ApplicationProtocols = [EndpointPair.Protocol],
            },
            stop);

        Assert.Equal(server.LocalEndPoints[0], connection.RemoteEndPoint);
        QuicConnection? accepted = await server.AcceptAsync(stop);
        await StreamEndTests.OpenAsync(connection, accepted!, stop);
        Assert.True(silent.Available > 0 && silentSix.Available > 0);
    }

    [Fact(Timeout = Timeout)]
    public async Task An_address_that_is_reached_over_two_ways_makes_one_connection()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using QuicEndpoint server = QuicEndpoint.Create(new QuicEndpointOptions
        {
            PrivateKeySeed = EndpointPair.Seed(1),
            ApplicationProtocols = [EndpointPair.Protocol],
        });
        await using QuicEndpoint client = QuicEndpoint.Create(new QuicEndpointOptions { PrivateKeySeed = EndpointPair.Seed(2) });
        QuicConnection connection = await client.ConnectAsync(
            new QuicConnectOptions
            {
                RemoteEndPoints =
                [
                    new IPEndPoint(IPAddress.Loopback, server.LocalEndPoints[0].Port),
                    new IPEndPoint(IPAddress.IPv6Loopback, server.LocalEndPoints[1].Port),
                ],
                ApplicationProtocols = [EndpointPair.Protocol],
                ExpectedPeerPublicKey = server.PublicKey,
            },
            stop);
        QuicConnection? accepted = await server.AcceptAsync(stop);
        await StreamEndTests.OpenAsync(connection, accepted!, stop);

        // A second connection from the copies would have been accepted before this one's round trip.
        using var none = new CancellationTokenSource();
        Task<QuicConnection?> second = server.AcceptAsync(none.Token).AsTask();
        Assert.False(second.IsCompleted);
        await none.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
    }

    [Fact(Timeout = Timeout)]
    public async Task Silence_is_a_timeout()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        using var silent = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        silent.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        await using QuicEndpoint client = EndpointPair.CreateEndpoint(2, IPAddress.Loopback);
        var dial = new QuicConnectOptions
        {
            RemoteEndPoints = [(IPEndPoint)silent.LocalEndPoint!],
            ApplicationProtocols = [EndpointPair.Protocol],
            HandshakeTimeout = TimeSpan.FromMilliseconds(50),
        };

        var failure = await Assert.ThrowsAsync<QuicConnectionException>(async () => await client.ConnectAsync(dial, stop));

        Assert.Equal(QuicCloseKind.TimedOut, failure.Kind);
        Assert.True(failure.IsTransient);
    }

    [Fact(Timeout = Timeout)]
    public async Task Another_key_than_expected_fails_the_handshake_at_the_dialler()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        var failure = await Assert.ThrowsAsync<QuicConnectionException>(async () => await pair.Client.ConnectAsync(
            new QuicConnectOptions
            {
                RemoteEndPoints = pair.Server.LocalEndPoints,
                ApplicationProtocols = [EndpointPair.Protocol],
                ExpectedPeerPublicKey = pair.Client.PublicKey,
            },
            stop));
        Assert.Equal(QuicCloseKind.PeerIdentityMismatch, failure.Kind);
        Assert.False(failure.IsTransient);
    }

    [Fact(Timeout = Timeout)]
    public async Task The_protocols_served_may_change_while_the_endpoint_lives()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        pair.Server.SetApplicationProtocols(["other"u8.ToArray()]);
        var none = await Assert.ThrowsAsync<QuicConnectionException>(async () => await pair.Client.ConnectAsync(pair.Dial, stop));
        Assert.Equal((QuicCloseKind.HandshakeFailed, 0x178UL), (none.Kind, none.Code));

        pair.Server.SetApplicationProtocols([]);
        var refused = await Assert.ThrowsAsync<QuicConnectionException>(async () => await pair.Client.ConnectAsync(pair.Dial, stop));
        Assert.Equal((QuicCloseKind.TransportClosed, 2UL, true), (refused.Kind, refused.Code, refused.IsTransient));

        pair.Server.SetApplicationProtocols(["other"u8.ToArray(), EndpointPair.Protocol]);
        (QuicConnection client, _) = await pair.ConnectAsync(stop);
        Assert.Equal(EndpointPair.Protocol.ToArray(), client.ApplicationProtocol.ToArray());
    }

    [Fact(Timeout = Timeout)]
    public async Task Every_wait_can_be_cancelled()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        using var silent = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        silent.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        await using var pair = new EndpointPair(connections: new ConnectionConfiguration
        {
            BidirectionalStreamsMax = 1,
            UnidirectionalStreamsMax = 0,
        });
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        (QuicStream opened, QuicStream accepted) = await StreamEndTests.OpenAsync(client, server, stop);
        using var cancellation = new CancellationTokenSource();
        CancellationToken token = cancellation.Token;
        Task[] waits =
        [
            pair.Client.ConnectAsync(
                new QuicConnectOptions
                {
                    RemoteEndPoints = [(IPEndPoint)silent.LocalEndPoint!],
                    ApplicationProtocols = [EndpointPair.Protocol],
                },
                token).AsTask(),
            pair.Server.AcceptAsync(token).AsTask(),
            client.OpenBidirectionalStreamAsync(token).AsTask(),
            client.OpenUnidirectionalStreamAsync(token).AsTask(),
            client.AcceptBidirectionalStreamAsync(token).AsTask(),
            client.AcceptUnidirectionalStreamAsync(token).AsTask(),
            client.ReceiveDatagramAsync(token).AsTask(),
            opened.ReadAsync(new byte[1], token).AsTask(),
            opened.WriteAsync(new byte[32 << 20], token).AsTask(),
        ];
        Assert.All(waits, wait => Assert.False(wait.IsCompleted));

        await cancellation.CancelAsync();

        foreach (Task wait in waits)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => wait.WaitAsync(stop));
        await accepted.WriteAsync("fine"u8.ToArray(), stop);
        await opened.ReadExactlyAsync(new byte[4], stop);
    }

    [Fact(Timeout = Timeout)]
    public async Task Many_connections_share_a_pair_of_endpoints()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        Task serving = Task.Run(async () =>
        {
            var echoes = new List<Task>();
            for (int i = 0; i < 50; i++)
            {
                QuicConnection? connection = await pair.Server.AcceptAsync(stop);
                echoes.Add(EchoTests.EchoAllAsync(connection!, 1, stop));
            }

            await Task.WhenAll(echoes);
        });

        QuicConnection[] connections = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => pair.Client.ConnectAsync(pair.Dial, stop).AsTask()));
        await Task.WhenAll(connections.Select(async (connection, i) =>
        {
            QuicStream stream = await connection.OpenBidirectionalStreamAsync(stop);
            byte[] data = EndpointPair.Bytes(5000, (ulong)i);
            await stream.WriteAsync(data, stop);
            stream.CompleteWrites();
            Assert.Equal(data, await EchoTests.ReadToEndAsync(stream, stop));
        }));
        await serving;
        await Task.WhenAll(connections.Select(connection => connection.CloseAsync().AsTask()));
    }

    [Fact(Timeout = Timeout)]
    public async Task Disposal_of_an_endpoint_closes_its_connections_and_frees_its_port()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair();
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        (QuicStream opened, QuicStream accepted) = await StreamEndTests.OpenAsync(client, server, stop);
        Task<QuicConnection?> accept = pair.Server.AcceptAsync(stop).AsTask();
        Task write = opened.WriteAsync(new byte[32 << 20], stop).AsTask();
        IPEndPoint local = pair.Server.LocalEndPoints[0];

        await Task.WhenAll(pair.Server.DisposeAsync().AsTask(), pair.Server.DisposeAsync().AsTask());

        Assert.Null(await accept);
        Assert.Equal(new QuicCloseReason(QuicCloseKind.ApplicationClosed, 0, string.Empty), await client.Closed.WaitAsync(stop));
        Assert.Equal(new QuicCloseReason(QuicCloseKind.LocallyClosed, 0, string.Empty), await server.Closed.WaitAsync(stop));
        await Assert.ThrowsAsync<QuicConnectionException>(() => write);
        await Assert.ThrowsAsync<QuicConnectionException>(async () => await accepted.WriteAsync(new byte[1], stop));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await pair.Server.ConnectAsync(pair.Dial, stop));
        await using QuicEndpoint next = EndpointPair.CreateEndpoint(3, IPAddress.Loopback, port: local.Port);
        Assert.Equal(local, next.LocalEndPoints[0]);
    }

    [Fact(Timeout = Timeout)]
    public async Task Disposal_during_handshakes_ends_them()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        using var silent = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        silent.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        QuicEndpoint client = EndpointPair.CreateEndpoint(2, IPAddress.Loopback);
        Task<QuicConnection> connect = client.ConnectAsync(
            new QuicConnectOptions { RemoteEndPoints = [(IPEndPoint)silent.LocalEndPoint!], ApplicationProtocols = [EndpointPair.Protocol] },
            stop).AsTask();
        await client.DisposeAsync();
        Assert.Equal(QuicCloseKind.LocallyClosed, (await Assert.ThrowsAsync<QuicConnectionException>(() => connect)).Kind);
    }

    [Fact(Timeout = Timeout)]
    public async Task A_second_endpoint_on_the_same_port_is_refused()
    {
        await using QuicEndpoint first = EndpointPair.CreateEndpoint(1, IPAddress.Loopback);
        var refused = Assert.Throws<QuicBindException>(
            () => EndpointPair.CreateEndpoint(2, IPAddress.Loopback, port: first.LocalEndPoints[0].Port));
        Assert.Contains($"port {first.LocalEndPoints[0].Port}/udp", refused.Message, StringComparison.Ordinal);
        Assert.Contains("already in use by another program", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_that_no_handshake_could_work_with_are_refused()
    {
        Assert.Throws<ArgumentException>(() => QuicEndpoint.Create(new QuicEndpointOptions { PrivateKeySeed = new byte[31] }));
        Assert.Throws<ArgumentException>(() => Create(new byte[256]));
        Assert.Throws<ArgumentException>(() => Create([.. Enumerable.Repeat((ReadOnlyMemory<byte>)new byte[255], 17)]));
        Assert.Throws<ArgumentException>(() => QuicEndpoint.Create(new QuicEndpointOptions
        {
            PrivateKeySeed = EndpointPair.Seed(1),
            LocalEndPoints = [new IPEndPoint(IPAddress.Loopback, 0), new IPEndPoint(IPAddress.Loopback, 0)],
        }));

        static QuicEndpoint Create(params ReadOnlyMemory<byte>[] protocols) => QuicEndpoint.Create(
            new QuicEndpointOptions { PrivateKeySeed = EndpointPair.Seed(1), ApplicationProtocols = protocols });
    }

    [Fact(Timeout = Timeout)]
    public async Task An_idle_connection_is_kept_alive()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair(connections: new ConnectionConfiguration
        {
            MaxIdleTimeout = TimeSpan.FromMilliseconds(600),
            KeepAliveInterval = TimeSpan.FromMilliseconds(100),
        });
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);

        // Longer than the idle timeout; the delay is what is tested, not a way to wait for something.
        await Task.Delay(TimeSpan.FromSeconds(1.5), stop);

        await StreamEndTests.OpenAsync(client, server, stop);
    }

    [Fact(Timeout = Timeout)]
    public async Task An_idle_connection_without_keep_alive_times_out()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var pair = new EndpointPair(connections: new ConnectionConfiguration
        {
            MaxIdleTimeout = TimeSpan.FromMilliseconds(200),
            KeepAliveInterval = TimeSpan.Zero,
        });
        (QuicConnection client, QuicConnection server) = await pair.ConnectAsync(stop);
        Assert.Equal(QuicCloseKind.TimedOut, (await client.Closed.WaitAsync(stop)).Kind);
        Assert.Equal(QuicCloseKind.TimedOut, (await server.Closed.WaitAsync(stop)).Kind);
    }

    [Fact(Timeout = Timeout)]
    public async Task Connections_and_traffic_are_measured()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        var sums = new Dictionary<string, double>();
        using var factory = new TestMeterFactory();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, owner) =>
        {
            if (factory.Made.Contains(instrument.Meter))
                owner.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => Add(instrument, value));
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => Add(instrument, value));
        listener.Start();

        await using (QuicEndpoint server = EndpointPair.CreateEndpoint(1, IPAddress.Loopback))
        {
            await using QuicEndpoint client = QuicEndpoint.Create(new QuicEndpointOptions
            {
                PrivateKeySeed = EndpointPair.Seed(2),
                MeterFactory = factory,
            });
            QuicConnection connection = await client.ConnectAsync(
                new QuicConnectOptions { RemoteEndPoints = server.LocalEndPoints, ApplicationProtocols = [EndpointPair.Protocol] }, stop);
            Assert.Equal(1, sums["iroh.quic.connections"]);
            Assert.Equal(connection.HandshakeDuration.TotalSeconds, sums["iroh.quic.handshake.duration"]);
        }

        Assert.Equal(0, sums["iroh.quic.connections"]);
        Assert.True(sums["iroh.quic.datagrams"] >= 4);
        Assert.True(sums["iroh.quic.io"] >= 2400);

        void Add(Instrument instrument, double value)
        {
            lock (sums)
                sums[instrument.Name] = sums.GetValueOrDefault(instrument.Name) + value;
        }
    }

    private sealed class TestMeterFactory : IMeterFactory
    {
        public List<Meter> Made { get; } = [];

        public Meter Create(MeterOptions options)
        {
            var meter = new Meter(options);
            Made.Add(meter);
            return meter;
        }

        public void Dispose()
        {
            foreach (Meter meter in Made)
                meter.Dispose();
        }
    }
}
