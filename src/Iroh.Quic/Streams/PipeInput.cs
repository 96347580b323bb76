using System.IO.Pipelines;

namespace Iroh.Quic.Streams;

/// <summary>The receiving side of a stream as a pipe. Completing it gives up what was not read.</summary>
internal sealed class PipeInput(QuicStream stream) : PipeReader
{
    private readonly PipeReader _inner = Create(stream, new StreamPipeReaderOptions(bufferSize: 16 * 1024, leaveOpen: true));

    /// <inheritdoc/>
    public override void AdvanceTo(SequencePosition consumed) => _inner.AdvanceTo(consumed);

    /// <inheritdoc/>
    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => _inner.AdvanceTo(consumed, examined);

    /// <inheritdoc/>
    public override void CancelPendingRead() => _inner.CancelPendingRead();

    /// <inheritdoc/>
    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) => _inner.ReadAsync(cancellationToken);

    /// <inheritdoc/>
    public override bool TryRead(out ReadResult result) => _inner.TryRead(out result);

    /// <inheritdoc/>
    public override void Complete(Exception? exception = null)
    {
        _inner.Complete(exception);
        stream.Abort(QuicStreamSides.Read);
    }
}
