using System.Net;
using System.Net.Sockets;
using Blixard.Cluster.Links;
using Blixard.Cluster.Tests.Support;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Grpc;
using Blixard.Rpc.Identity;
using Blixard.Rpc.Peers;
using Blixard.Rpc.Services;
using Blixard.Rpc.Tunnels;
using Blixard.Testing.Basics;
using Iroh;
using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Protocols;
using Iroh.Quic.Protocol.Connections;
using Microsoft.Extensions.Logging.Abstractions;

namespace Blixard.Cluster.Tests.Links;

/// <summary>Tunnels between two real endpoints, with a relay between them that can lose every datagram, and over real gRPC.</summary>
public sealed class RealTunnelsTests : IAsyncLifetime
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private readonly RpcMetrics _metrics = new();
    private readonly NodeCertificateSource _serverCertificate = new(Seed(1), TimeProvider.System), _clientCertificate = new(Seed(2), TimeProvider.System);
    private IrohEndpoint _server = null!, _client = null!;
    private ProtocolRouter _router = null!;
    private GrpcServer _grpc = null!;
    private GrpcCaller _caller = null!;
    private UdpRelay _relay = null!;
    private PeerChannel _channel = null!;
    private IrohConnection _connection = null!;

    public async ValueTask InitializeAsync()
    {
        var dispatcher = new RpcDispatcher(
            new RpcServiceTable([new TunnelService(ConnectAsync, _metrics).Bind()]), static _ => ValueTask.FromResult(RpcDecision.Allow),
            TimeProvider.System, _metrics, NullLogger<RpcDispatcher>.Instance);
        _server = await BindAsync(1);
        _client = await BindAsync(2);
        var handler = new CallHandler(new IrohServiceRunner(dispatcher, NullLogger<IrohServiceRunner>.Instance));
        _router = new ProtocolRouter(_server, new Dictionary<string, IProtocolHandler> { [IrohServiceRunner.Alpn] = handler });
        _grpc = await GrpcServer.StartAsync(
            new GrpcServerOptions { Address = new IPEndPoint(IPAddress.Loopback, 0), Certificate = _serverCertificate }, dispatcher, NullLoggerFactory.Instance);
        _caller = new GrpcCaller(
            new GrpcCallerOptions
            {
                Address = $"127.0.0.1:{_grpc.LocalAddress!.Port}",
                ExpectedEndpointId = _serverCertificate.EndpointId,
                Certificate = _clientCertificate,
            },
            TimeProvider.System, _metrics);
        _relay = new UdpRelay(_server.BoundSockets[0]);
        _channel = new PeerChannel("node-1", _caller, TimeProvider.System, _metrics, TimeSpan.FromSeconds(1));
    }

    public async ValueTask DisposeAsync()
    {
        _caller.Dispose();
        await _grpc.DisposeAsync();
        await _client.DisposeAsync();
        await _router.DisposeAsync();
        await _server.DisposeAsync();
        _relay.Dispose();
        _channel.Dispose();
        _serverCertificate.Dispose();
        _clientCertificate.Dispose();
        _metrics.Dispose();
    }

    [Theory]
    [InlineData(RpcTransport.P2p)]
    [InlineData(RpcTransport.Grpc)]
    public async Task Ten_megabytes_come_back_as_they_went_and_each_direction_ends_by_itself(RpcTransport transport)
    {
        if (transport == RpcTransport.P2p)
            await LinkAsync();
        await using PeerTunnels tunnels = Tunnels();
        (NetworkStream near, Task carried) = await CarryAsync(tunnels);
        byte[] sent = new byte[10 * 1024 * 1024];
        new SeededRandomSource(3).Fill(sent);
        byte[] came = await EchoConnection.ExchangeAsync(near, sent);
        Assert.True(came.AsSpan().SequenceEqual(sent), $"{came.Length} bytes came");
        await carried.WaitAsync(s_patience);
        PeerTunnelsStatus status = tunnels.Status;
        Assert.Equal((transport, 2L * sent.Length), (status.Way, transport == RpcTransport.P2p ? status.BytesP2p : status.BytesGrpc));
    }

    [Fact]
    public async Task When_all_datagrams_are_lost_tunnels_are_cut_and_made_anew_over_gRPC_and_moved_back_when_the_link_is()
    {
        await LinkAsync();
        await using PeerTunnels tunnels = Tunnels();
        (NetworkStream near, Task carried) = await CarryAsync(tunnels);
        await EchoAsync(near);
        _relay.IsDropping = true;
        Assert.Empty(await EchoConnection.ReadToEndAsync(near));
        RpcException cut = await Assert.ThrowsAsync<RpcException>(() => carried.WaitAsync(s_patience));
        Assert.EndsWith("over P2p was cut: PulseLost", cut.Message, StringComparison.Ordinal);

        (near, carried) = await CarryAsync(tunnels);
        await EchoAsync(near);
        Assert.Equal((RpcTransport.Grpc, 1), (tunnels.Status.Way, tunnels.Status.OpenGrpc));

        _relay.IsDropping = false;
        _channel.OnLinkLost("silence");
        await LinkAsync();
        using var alive = new Timer(_ => _channel.OnLinkAlive(), null, 0, 100);
        Assert.Empty(await EchoConnection.ReadToEndAsync(near));
        Assert.EndsWith("was cut: Moved", (await Assert.ThrowsAsync<RpcException>(() => carried.WaitAsync(s_patience))).Message, StringComparison.Ordinal);
        (near, carried) = await CarryAsync(tunnels);
        await EchoAsync(near);
        Assert.Equal((RpcTransport.P2p, 1, 0), (tunnels.Status.Way, tunnels.Status.OpenP2p, tunnels.Status.OpenGrpc));
        near.Socket.Shutdown(SocketShutdown.Send);
        await carried.WaitAsync(s_patience);
    }

    [Fact]
    public async Task A_link_that_closes_ends_its_tunnels_and_the_next_takes_gRPC()
    {
        await LinkAsync();
        await using PeerTunnels tunnels = Tunnels();
        (NetworkStream near, Task carried) = await CarryAsync(tunnels);
        await EchoAsync(near);
        await _connection.CloseAsync(0, "the test");
        await Assert.ThrowsAsync<RpcException>(() => carried.WaitAsync(s_patience));
        Assert.Empty(await EchoConnection.ReadToEndAsync(near));
        (near, carried) = await CarryAsync(tunnels);
        await EchoAsync(near);
        Assert.Equal(1, tunnels.Status.OpenGrpc);
        near.Socket.Shutdown(SocketShutdown.Send);
        await carried.WaitAsync(s_patience);
    }

    private static byte[] Seed(int number) => [.. Enumerable.Repeat((byte)number, 32)];

    private static Task<IrohEndpoint> BindAsync(int number) => IrohEndpoint.BindAsync(new IrohEndpointOptions
    {
        SecretKey = TemporaryStore.Key(number),
        BindAddresses = [new IPEndPoint(IPAddress.Loopback, 0)],
        // Or the ends would find a way past the relay that loses datagrams.
        Connections = new ConnectionConfiguration { NatTraversalAddressesMax = 0 },
    });

    private async Task LinkAsync()
    {
        using var patience = new CancellationTokenSource(s_patience);
        var address = new EndpointAddress(_server.Id, [TransportAddress.Ip(_relay.Address)]);
        IrohConnection connection = _connection = await _client.ConnectAsync(address, IrohServiceRunner.Alpn, patience.Token);
        _channel.OnLinkReady(new P2pCaller(connection.OpenRpcStreamAsync, TimeProvider.System, _metrics));
    }

    private PeerTunnels Tunnels() => new(_channel, "echo", TimeProvider.System, NullLogger<PeerTunnels>.Instance, _metrics);

    private static async Task<(NetworkStream Near, Task Carried)> CarryAsync(PeerTunnels tunnels)
    {
        (NetworkStream near, NetworkStream far) = await SocketPair.CreateAsync();
        return (near, tunnels.CarryAsync(far));
    }

    private static async Task EchoAsync(NetworkStream near)
    {
        using var patience = new CancellationTokenSource(s_patience);
        await near.WriteAsync(new byte[] { 9 }, patience.Token);
        byte[] back = new byte[1];
        await near.ReadExactlyAsync(back, patience.Token);
        Assert.Equal(9, back[0]);
    }

    private static async ValueTask<Stream> ConnectAsync(string target, RpcContext context, CancellationToken cancellationToken)
    {
        (NetworkStream near, NetworkStream far) = await SocketPair.CreateAsync();
        _ = EchoConnection.ServeAsync(far);
        return near;
    }

    private sealed class CallHandler(IrohServiceRunner runner) : IProtocolHandler
    {
        public Task AcceptAsync(IrohConnection connection, CancellationToken cancellationToken) => runner.RunAsync(
            connection.AcceptRpcStreamsAsync(cancellationToken),
            new RpcPeer(connection.RemoteId.Span.ToArray(), RpcTransport.P2p, "loopback"), cancellationToken);
    }
}
