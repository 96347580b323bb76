using System.Collections.Concurrent;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Services;
using Blixard.Testing.Basics;
using Microsoft.Extensions.Logging.Abstractions;

namespace Blixard.Cluster.Tests.Support;

/// <summary>Services behind a connection in memory that a test can break.</summary>
internal sealed class PipeLink : IAsyncDisposable
{
    private readonly IrohServiceRunner _runner;
    private readonly RpcMetrics _metrics = new();
    private readonly RpcPeer _peer = new(TemporaryStore.Id(9).Span.ToArray(), RpcTransport.P2p, "memory");
    private readonly ConcurrentBag<MemoryDuplex> _open = [];
    private readonly ConcurrentBag<Task> _served = [];
    private readonly CancellationTokenSource _stop = new();
    private int _opened;

    public PipeLink(params RpcService[] services)
    {
        var dispatcher = new RpcDispatcher(
            new RpcServiceTable(services), static _ => ValueTask.FromResult(RpcDecision.Allow), TimeProvider.System, _metrics,
            NullLogger<RpcDispatcher>.Instance);
        _runner = new IrohServiceRunner(dispatcher, NullLogger<IrohServiceRunner>.Instance);
        Caller = new P2pCaller(OpenAsync, TimeProvider.System);
    }

    public P2pCaller Caller { get; }

    public bool IsDown { get; set; }

    /// <summary>Streams are opened and nobody serves them, as if the server had vanished without a word.</summary>
    public bool IsSilent { get; set; }

    public int Opened => Volatile.Read(ref _opened);

    /// <summary>Breaks every stream that is open.</summary>
    public void Break()
    {
        while (_open.TryTake(out MemoryDuplex? stream))
            stream.Abort(RpcAbortCode.Cancelled);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        Break();
        await Task.WhenAll(_served);
        _metrics.Dispose();
    }

    private ValueTask<RpcStream> OpenAsync(CancellationToken cancellationToken)
    {
        if (IsDown)
            throw new IOException("the link is down");
        Interlocked.Increment(ref _opened);
        (MemoryDuplex near, MemoryDuplex far) = MemoryDuplex.CreatePair();
        _open.Add(near);
        _open.Add(far);
        if (!IsSilent)
            _served.Add(_runner.ServeCallAsync(ToRpcStream(far), _peer, _stop.Token));
        return ValueTask.FromResult(ToRpcStream(near));
    }

    private static RpcStream ToRpcStream(MemoryDuplex end) => new(end, end.FinishAsync, end.Abort);
}
