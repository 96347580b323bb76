using Iroh.Quic;

namespace Iroh.Blobs.Transfer;

/// <summary>A bidirectional QUIC stream as a request with its response. Owns the stream.</summary>
/// <param name="stream">Sends and receives.</param>
/// <param name="onDisposed">Called once when the stream is disposed; null for nothing.</param>
internal sealed class QuicBlobStream(QuicStream stream, Action? onDisposed = null) : IBlobStream
{
    private Action? _onDisposed = onDisposed;

    /// <inheritdoc/>
    public Stream Input => stream;

    /// <inheritdoc/>
    public Stream Output => stream;

    /// <inheritdoc/>
    public Task ReadsStopped => stream.WritesFinished;

    /// <inheritdoc/>
    public void CompleteWrites() => stream.CompleteWrites();

    /// <inheritdoc/>
    public void Abort(ulong code) => stream.Abort(QuicStreamSides.Read | QuicStreamSides.Write, code);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await stream.DisposeAsync().ConfigureAwait(false);
        Interlocked.Exchange(ref _onDisposed, null)?.Invoke();
    }
}
