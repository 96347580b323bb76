using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Grpc;
using Blixard.Rpc.Identity;
using Blixard.Rpc.Services;
using Blixard.Rpc.Tunnels;
using Blixard.Testing.Basics;
using Microsoft.Extensions.Logging.Abstractions;

namespace Blixard.Rpc.Tests.Support;

/// <summary>A node that answers tunnels on frames over a link in memory, which can be frozen, and with gRPC on loopback. The target
/// "echo" gives back what it gets, "hold" hands the service's end to the test, others are refused or missing.</summary>
internal sealed class TunnelHost : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;
    private readonly NodeCertificateSource _server = new(GrpcHost.ServerSeed, TimeProvider.System);
    private readonly NodeCertificateSource _client = new(GrpcHost.ClientSeed, TimeProvider.System);
    private readonly ConcurrentBag<FreezableStream> _streams = [];
    private readonly RpcMetrics _metrics;
    private GrpcServer _grpc = null!;
    private volatile bool _isFrozen;

    private TunnelHost(RpcMetrics metrics)
    {
        _metrics = metrics;
        Dispatcher = new RpcDispatcher(
            new RpcServiceTable([new TunnelService(ConnectAsync, metrics).Bind()]), static _ => ValueTask.FromResult(RpcDecision.Allow),
            TimeProvider.System, metrics, NullLogger<RpcDispatcher>.Instance);
        var runner = new IrohServiceRunner(Dispatcher, NullLogger<IrohServiceRunner>.Instance);
        _running = runner.RunAsync(Link.Accepted, new RpcPeer(FrameHost.CallerId, RpcTransport.P2p, "memory"), _stop.Token);
        P2p = new P2pCaller(OpenStreamAsync, TimeProvider.System, metrics);
    }

    public RpcDispatcher Dispatcher { get; }

    public MemoryLink Link { get; } = new();

    public P2pCaller P2p { get; }

    public GrpcCaller Grpc { get; private set; } = null!;

    /// <summary>The service's ends of tunnels to "hold", in the order of their opening.</summary>
    public BlockingCollection<NetworkStream> Held { get; } = [];

    public static async Task<TunnelHost> StartAsync(RpcMetrics? metrics = null)
    {
        var host = new TunnelHost(metrics ?? new RpcMetrics());
        var options = new GrpcServerOptions { Address = new IPEndPoint(IPAddress.Loopback, 0), Certificate = host._server };
        host._grpc = await GrpcServer.StartAsync(options, host.Dispatcher, NullLoggerFactory.Instance);
        host.Grpc = new GrpcCaller(
            new GrpcCallerOptions
            {
                Address = $"127.0.0.1:{host._grpc.LocalAddress!.Port}",
                ExpectedEndpointId = host._server.EndpointId,
                Certificate = host._client,
            },
            TimeProvider.System, host._metrics);
        return host;
    }

    /// <summary>From now on nothing passes on the link in memory, in neither direction, and nobody is told.</summary>
    public void Freeze()
    {
        _isFrozen = true;
        foreach (FreezableStream stream in _streams)
            stream.Freeze();
    }

    /// <summary>New streams work again; the frozen ones stay so.</summary>
    public void Thaw() => _isFrozen = false;

    public Task StopGrpcAsync() => _grpc.DisposeAsync().AsTask();

    /// <summary>Shuts the node down; a second time does nothing.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_running.IsCompleted)
            return;
        Link.Close();
        await _stop.CancelAsync();
        await _running;
        Grpc.Dispose();
        await _grpc.DisposeAsync();
        foreach (NetworkStream held in Held)
            await held.DisposeAsync();
        Held.Dispose();
        _server.Dispose();
        _client.Dispose();
        _metrics.Dispose();
        _stop.Dispose();
    }

    private async ValueTask<RpcStream> OpenStreamAsync(CancellationToken cancellationToken)
    {
        (MemoryDuplex near, MemoryDuplex far) = MemoryDuplex.CreatePair();
        var stream = new FreezableStream(near);
        _streams.Add(stream);
        if (_isFrozen)
            stream.Freeze();
        else
            Link.Accept(far);
        await Task.CompletedTask;
        return near.ToRpcStream(stream);
    }

    private async ValueTask<Stream> ConnectAsync(string target, RpcContext context, CancellationToken cancellationToken)
    {
        if (target is not ("echo" or "hold"))
            throw new RpcException(target == "secret" ? RpcStatusCode.PermissionDenied : RpcStatusCode.NotFound, $"no {target} for you");
        (NetworkStream near, NetworkStream far) = await SocketPair.CreateAsync();
        if (target == "echo")
            _ = EchoConnection.ServeAsync(far);
        else
            Held.Add(far, cancellationToken);
        return near;
    }
}

/// <summary>A stream that can stop in both directions without a word.</summary>
internal sealed class FreezableStream(Stream inner) : AsyncStream
{
    private readonly CancellationTokenSource _frozen = new();

    public void Freeze()
    {
        try
        {
            _frozen.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // Its call has ended.
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(_frozen.Token, cancellationToken);
        try
        {
            if (!_frozen.IsCancellationRequested)
                return await inner.ReadAsync(buffer, linked.Token);
        }
        catch (OperationCanceledException) when (_frozen.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            // Frozen while it waited.
        }

        await Task.Delay(Timeout.Infinite, cancellationToken);
        return 0;
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (!_frozen.IsCancellationRequested)
            await inner.WriteAsync(buffer, cancellationToken);
    }

    public override async ValueTask DisposeAsync()
    {
        await inner.DisposeAsync();
        _frozen.Dispose();
        await base.DisposeAsync();
    }
}
