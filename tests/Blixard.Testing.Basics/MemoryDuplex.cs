using System.IO.Pipelines;

namespace Blixard.Testing.Basics;

/// <summary>One end of a stream in memory that can be finished and reset. Each direction holds a limited number of bytes, as flow
/// control does.</summary>
public sealed class MemoryDuplex : AsyncStream
{
    /// <summary>What one direction holds before its writer waits.</summary>
    public const int WindowBytes = 16 * 1024;

    private readonly PipeReader _reader;
    private readonly PipeWriter _writer;
    private readonly CancellationTokenSource _aborted = new();

    private MemoryDuplex(PipeReader reader, PipeWriter writer)
    {
        _reader = reader;
        _writer = writer;
    }

    /// <summary>With what this end was aborted first; null when it was not.</summary>
    public ulong? AbortCode { get; private set; }

    public static (MemoryDuplex Near, MemoryDuplex Far) CreatePair()
    {
        var options = new PipeOptions(pauseWriterThreshold: WindowBytes, resumeWriterThreshold: WindowBytes / 2, useSynchronizationContext: false);
        Pipe there = new(options), back = new(options);
        return (new MemoryDuplex(back.Reader, there.Writer), new MemoryDuplex(there.Reader, back.Writer));
    }

    /// <summary>Ends what this end writes; it can still read.</summary>
    public ValueTask FinishAsync(CancellationToken cancellationToken = default) =>
        AbortCode is null ? _writer.CompleteAsync() : ValueTask.CompletedTask;

    /// <summary>Ends both directions at once; the other end reads an error.</summary>
    public void Abort(ulong code)
    {
        AbortCode ??= code;
        _aborted.Cancel();
        _writer.Complete(new MemoryResetException(code));
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
}

/// <summary>The other end of a stream in memory was aborted.</summary>
public sealed class MemoryResetException(ulong code) : IOException($"reset by the peer ({code})")
{
    /// <summary>With what.</summary>
    public ulong Code => code;
}
