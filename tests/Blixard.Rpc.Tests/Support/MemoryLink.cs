using System.Threading.Channels;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Services;
using Blixard.Testing.Basics;

namespace Blixard.Rpc.Tests.Support;

/// <summary>A connection in memory: streams opened on one side are accepted on the other.</summary>
internal sealed class MemoryLink
{
    private readonly Channel<RpcStream> _accepted = Channel.CreateUnbounded<RpcStream>();

    public IAsyncEnumerable<RpcStream> Accepted => _accepted.Reader.ReadAllAsync();

    /// <summary>Fails the next openings.</summary>
    public bool IsDown { get; set; }

    public int Opened { get; private set; }

    public ValueTask<RpcStream> OpenAsync(CancellationToken cancellationToken)
    {
        if (IsDown)
            throw new IOException("the link is down");
        Opened++;
        (MemoryDuplex near, MemoryDuplex far) = MemoryDuplex.CreatePair();
        _accepted.Writer.TryWrite(far.ToRpcStream());
        return ValueTask.FromResult(near.ToRpcStream());
    }

    /// <summary>The other side gets a stream that was made elsewhere.</summary>
    public void Accept(MemoryDuplex far) => _accepted.Writer.TryWrite(far.ToRpcStream());

    public void Close() => _accepted.Writer.TryComplete();
}

internal static class MemoryDuplexExtensions
{
    public static RpcStream ToRpcStream(this MemoryDuplex end) => end.ToRpcStream(end);

    /// <summary>The same, with a wrapper around its bytes.</summary>
    public static RpcStream ToRpcStream(this MemoryDuplex end, Stream bytes) =>
        new(bytes, end.FinishAsync, end.Abort, codeOf: static e => (e as MemoryResetException)?.Code);
}

/// <summary>The probe served over a link in memory.</summary>
internal sealed class FrameHost : IAsyncDisposable
{
    public static readonly byte[] CallerId = [.. Enumerable.Range(1, 32).Select(i => (byte)i)];

    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    public FrameHost(TimeProvider? time = null, RpcAuthorizer? authorizer = null)
    {
        Probe = new ProbeService(time, authorizer);
        Runner = new IrohServiceRunner(Probe.Dispatcher, Microsoft.Extensions.Logging.Abstractions.NullLogger<IrohServiceRunner>.Instance);
        Peer = new RpcPeer(CallerId, Calls.RpcTransport.P2p, "memory");
        _running = Runner.RunAsync(Link.Accepted, Peer, _stop.Token);
        Caller = new P2pCaller(Link.OpenAsync, time ?? TimeProvider.System);
    }

    public ProbeService Probe { get; }

    public IrohServiceRunner Runner { get; }

    public RpcPeer Peer { get; }

    public MemoryLink Link { get; } = new();

    public P2pCaller Caller { get; }

    /// <summary>Shuts the node down; a second time does nothing.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_running.IsCompleted)
            return;
        Link.Close();
        await _stop.CancelAsync();
        await _running;
        Probe.Dispose();
        _stop.Dispose();
    }
}
