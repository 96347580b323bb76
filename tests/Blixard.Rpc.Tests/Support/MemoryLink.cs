using System.IO.Pipelines;
using System.Threading.Channels;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Services;

namespace Blixard.Rpc.Tests.Support;

/// <summary>A connection in memory: streams opened on one side are accepted on the other. Each direction of a stream holds a
/// limited number of bytes, as flow control does.</summary>
internal sealed class MemoryLink
{
    public const int WindowBytes = 16 * 1024;

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

/// <summary>One end of a stream in memory.</summary>
internal sealed class MemoryDuplex : Stream
{
    private readonly PipeReader _reader;
    private readonly PipeWriter _writer;
    private readonly CancellationTokenSource _aborted = new();

    private MemoryDuplex(PipeReader reader, PipeWriter writer)
    {
        _reader = reader;
        _writer = writer;
    }

    public ulong? AbortCode { get; private set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public static (MemoryDuplex Near, MemoryDuplex Far) CreatePair()
    {
        var options = new PipeOptions(
            pauseWriterThreshold: MemoryLink.WindowBytes, resumeWriterThreshold: MemoryLink.WindowBytes / 2, useSynchronizationContext: false);
        Pipe there = new(options), back = new(options);
        return (new MemoryDuplex(back.Reader, there.Writer), new MemoryDuplex(there.Reader, back.Writer));
    }

    public RpcStream ToRpcStream() => new(this, _ => FinishAsync(), Abort);

    public ValueTask FinishAsync() => AbortCode is null ? _writer.CompleteAsync() : ValueTask.CompletedTask;

    public void Abort(ulong code)
    {
        AbortCode ??= code;
        _aborted.Cancel();
        _writer.Complete(new IOException($"reset by the peer ({code})"));
        _reader.CancelPendingRead();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_aborted.IsCancellationRequested)
            throw new IOException("aborted here");
        ReadResult result = await _reader.ReadAsync(cancellationToken);
        if (result.IsCanceled)
            throw new IOException("aborted here");
        int count = (int)Math.Min(buffer.Length, result.Buffer.Length);
        System.Buffers.BuffersExtensions.CopyTo(result.Buffer.Slice(0, count), buffer.Span);
        _reader.AdvanceTo(result.Buffer.GetPosition(count));
        return count;
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(_aborted.Token, cancellationToken);
        while (buffer.Length > 0)
        {
            int count = Math.Min(buffer.Length, 4096);
            FlushResult result = await _writer.WriteAsync(buffer[..count], linked.Token);
            if (result.IsCompleted)
                throw new IOException("the peer reads no more");
            buffer = buffer[count..];
        }
    }

    public override ValueTask DisposeAsync()
    {
        _writer.Complete();
        _reader.Complete();
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
