using System.Collections.Concurrent;
using System.IO.Pipelines;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Services;
using Microsoft.Extensions.Logging.Abstractions;

namespace Blixard.Cluster.Tests.Support;

/// <summary>Services behind a connection in memory that a test can break.</summary>
internal sealed class PipeLink : IAsyncDisposable
{
    private readonly IrohServiceRunner _runner;
    private readonly RpcMetrics _metrics = new();
    private readonly RpcPeer _peer = new(TemporaryStore.Id(9).Span.ToArray(), RpcTransport.P2p, "memory");
    private readonly ConcurrentBag<PipeStream> _open = [];
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
        while (_open.TryTake(out PipeStream? stream))
            stream.Abort();
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
        Pipe there = new(), back = new();
        PipeStream near = new(back.Reader, there.Writer), far = new(there.Reader, back.Writer);
        _open.Add(near);
        _open.Add(far);
        if (!IsSilent)
            _served.Add(_runner.ServeCallAsync(far.ToRpcStream(), _peer, _stop.Token));
        return ValueTask.FromResult(near.ToRpcStream());
    }

    private sealed class PipeStream(PipeReader reader, PipeWriter writer) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public RpcStream ToRpcStream() => new(this, _ => writer.CompleteAsync(), _ => Abort());

        public void Abort()
        {
            writer.Complete(new IOException("reset"));
            reader.CancelPendingRead();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            ReadResult result = await reader.ReadAsync(cancellationToken);
            if (result.IsCanceled)
                throw new IOException("aborted");
            int count = (int)Math.Min(buffer.Length, result.Buffer.Length);
            System.Buffers.BuffersExtensions.CopyTo(result.Buffer.Slice(0, count), buffer.Span);
            reader.AdvanceTo(result.Buffer.GetPosition(count));
            return count;
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if ((await writer.WriteAsync(buffer, cancellationToken)).IsCompleted)
                throw new IOException("the peer reads no more");
        }

        public override ValueTask DisposeAsync()
        {
            writer.Complete();
            reader.Complete();
            return base.DisposeAsync();
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
