using System.IO.Pipelines;
using Blixard.Testing.Basics;
using Iroh.Blobs.Transfer;

namespace Iroh.Blobs.Tests.Transfer;

/// <summary>One end of a request in memory, with the ends and codes of a QUIC stream. Each direction holds a window, as flow control does.</summary>
internal sealed class MemoryBlobStream : AsyncStream, IBlobStream
{
    private const int WindowBytes = 256 * 1024;

    private readonly Half _in;
    private readonly Half _out;

    private MemoryBlobStream(Half incoming, Half outgoing) => (_in, _out) = (incoming, outgoing);

    public Stream Input => this;

    public Stream Output => this;

    public Task ReadsStopped => _out.Stopped.Task;

    /// <summary>Bytes that this end has read.</summary>
    public long BytesRead { get; private set; }

    public static (MemoryBlobStream Near, MemoryBlobStream Far) CreatePair()
    {
        Half there = new(), back = new();
        return (new MemoryBlobStream(back, there), new MemoryBlobStream(there, back));
    }

    public void CompleteWrites() => _out.Pipe.Writer.Complete();

    public void Abort(ulong code)
    {
        _out.Pipe.Writer.Complete(new BlobStreamAbortedException(code));
        StopReads(code);
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ReadResult result = await _in.Pipe.Reader.ReadAsync(cancellationToken);
        if (_in.Stopped.Task.IsCompleted)
            throw new OperationCanceledException("aborted here");
        int count = (int)Math.Min(buffer.Length, result.Buffer.Length);
        System.Buffers.BuffersExtensions.CopyTo(result.Buffer.Slice(0, count), buffer.Span);
        _in.Pipe.Reader.AdvanceTo(result.Buffer.GetPosition(count));
        BytesRead += count;
        return count;
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (buffer.Length > 0)
        {
            int count = Math.Min(buffer.Length, 16 * 1024);
            FlushResult result = await _out.Pipe.Writer.WriteAsync(buffer[..count], cancellationToken);
            if (result.IsCompleted)
                throw new BlobStreamAbortedException(_out.StopCode);
            buffer = buffer[count..];
        }
    }

    public override ValueTask DisposeAsync()
    {
        CompleteWrites();
        StopReads(0);
        return base.DisposeAsync();
    }

    private void StopReads(ulong code)
    {
        if (!_in.Stopped.TrySetResult())
            return;
        _in.StopCode = code;

        // A read may be under way; the writer learns of it with its next write.
        _in.Pipe.Reader.CancelPendingRead();
        _in.Pipe.Reader.Complete();
    }

    private sealed class Half
    {
        public Pipe Pipe { get; } = new(new PipeOptions(
            pauseWriterThreshold: WindowBytes, resumeWriterThreshold: WindowBytes / 2, useSynchronizationContext: false));

        public TaskCompletionSource Stopped { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ulong StopCode { get; set; }
    }
}
