namespace Iroh.Blobs.Transfer;

/// <summary>
/// One request and its response: a duplex stream whose halves end on their own. One read and one write may be under way at a time;
/// <see cref="Abort"/> may be called at any time from any thread.
/// </summary>
/// <remarks>
/// <para>Reads and writes fail with an <see cref="IOException"/>: <see cref="BlobStreamAbortedException"/> or
/// <see cref="Iroh.Quic.QuicStreamException"/> when the other end gave the stream up, any other when the way to it was lost.</para>
/// <para>Disposal completes the writes if that was not done and stops the reads with code 0, as dropping a stream does in Rust
/// iroh-blobs; it waits for nothing.</para>
/// </remarks>
public interface IBlobStream : IAsyncDisposable
{
    /// <summary>
    /// Completes, in whatever way, when the other end reads no more or the way to it is lost, for those who write seldom. A transport that
    /// cannot tell never completes it.
    /// </summary>
    Task ReadsStopped => Never.Task;

    /// <summary>What the other end sends; ends when it has completed its writes.</summary>
    Stream Input { get; }

    /// <summary>What this end sends. Writes wait while the other end does not read.</summary>
    Stream Output { get; }

    /// <summary>Says that nothing follows what was written. No write may be under way.</summary>
    void CompleteWrites();

    /// <summary>Gives both directions up: the other end's reads and writes fail with the code.</summary>
    /// <param name="code">One of <see cref="Requests.BlobErrorCode"/>, or 0 for no particular reason.</param>
    void Abort(ulong code);

    private static TaskCompletionSource Never { get; } = new();
}
