namespace Iroh.Blobs.Provider;

/// <summary>
/// Hears what a provider does. Called on the thread that does it, several at once: implementations are thread-safe, quick, and do not throw.
/// </summary>
public interface IBlobProviderEvents
{
    /// <summary>A request was read and allowed; what it asks for is served next.</summary>
    void OnStarted(BlobRequestInfo request);

    /// <summary>More was handed to the stream; about every 256 KiB.</summary>
    /// <param name="request">For which request.</param>
    /// <param name="bytes">Of the response so far, with sizes and pairs.</param>
    void OnProgress(BlobRequestInfo request, long bytes);

    /// <summary>A request ended; also one that was refused and so never started.</summary>
    /// <param name="request">Which.</param>
    /// <param name="outcome">How.</param>
    /// <param name="bytes">Of the response, or of what was pushed.</param>
    /// <param name="duration">Since it was read.</param>
    void OnEnded(BlobRequestInfo request, BlobRequestOutcome outcome, long bytes, TimeSpan duration);
}
