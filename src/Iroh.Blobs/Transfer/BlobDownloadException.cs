namespace Iroh.Blobs.Transfer;

/// <summary>No source is left for a blob. What came and was right is in the store, for the next try.</summary>
public sealed class BlobDownloadException : BlobTransferException
{
    internal BlobDownloadException(BlobHash blob, IReadOnlyList<BlobTransferException> failures)
        : base(Worst(failures), blob, WorstOf(failures)?.SourceName ?? "", Describe(blob, failures), WorstOf(failures)) => Failures = failures;

    /// <summary>Why each source was dropped, in that order. Empty if there was none.</summary>
    public IReadOnlyList<BlobTransferException> Failures { get; }

    private static BlobTransferFailure Worst(IReadOnlyList<BlobTransferException> failures) =>
        WorstOf(failures)?.Failure ?? BlobTransferFailure.NotFound;

    /// <summary>What says best what happened: that somebody lies; else what is not merely that a source does not have it.</summary>
    private static BlobTransferException? WorstOf(IReadOnlyList<BlobTransferException> failures) =>
        failures.FirstOrDefault(static failure => failure.Failure == BlobTransferFailure.Lying)
        ?? failures.FirstOrDefault(static failure => failure.Failure != BlobTransferFailure.NotFound)
        ?? (failures.Count > 0 ? failures[0] : null);

    private static string Describe(BlobHash blob, IReadOnlyList<BlobTransferException> failures) =>
        failures.Count == 0
            ? $"blob {blob} could not be fetched: there is nobody to ask"
            : $"blob {blob} could not be fetched: {string.Join("; ", failures.Select(static failure => failure.Message))}";
}
