using System.IO.Pipelines;

namespace Iroh.Quic.Streams;

/// <summary>The sending side of a stream as a pipe. Completing it ends the stream, with an exception by giving it up.</summary>
internal sealed class PipeOutput(QuicStream stream) : PipeWriter
{
    private readonly PipeWriter _inner = Create(stream, new StreamPipeWriterOptions(minimumBufferSize: 16 * 1024, leaveOpen: true));

    /// <inheritdoc/>
    public override bool CanGetUnflushedBytes => _inner.CanGetUnflushedBytes;

    /// <inheritdoc/>
    public override long UnflushedBytes => _inner.UnflushedBytes;

    /// <inheritdoc/>
    public override void Advance(int bytes) => _inner.Advance(bytes);

    /// <inheritdoc/>
    public override Memory<byte> GetMemory(int sizeHint = 0) => _inner.GetMemory(sizeHint);

    /// <inheritdoc/>
    public override Span<byte> GetSpan(int sizeHint = 0) => _inner.GetSpan(sizeHint);

    /// <inheritdoc/>
    public override void CancelPendingFlush() => _inner.CancelPendingFlush();

    /// <inheritdoc/>
    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => _inner.FlushAsync(cancellationToken);

    /// <inheritdoc/>
    public override void Complete(Exception? exception = null)
    {
        _inner.Complete(exception);
        End(exception);
    }

    /// <inheritdoc/>
    public override async ValueTask CompleteAsync(Exception? exception = null)
    {
        await _inner.CompleteAsync(exception).ConfigureAwait(false);
        End(exception);
    }

    private void End(Exception? exception)
    {
        if (exception is null)
            stream.CompleteWrites();
        else
            stream.Abort(QuicStreamSides.Write);
    }
}
