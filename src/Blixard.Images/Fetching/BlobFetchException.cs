using Iroh.Blobs;

namespace Blixard.Images.Fetching;

/// <summary>No source was left for a blob. What came and was right is kept for the next try; nothing wrong is on the disk.</summary>
public class BlobFetchException : ImageException
{
    private protected BlobFetchException(BlobHash hash, IReadOnlyList<SourceFailure> failures, string message)
        : base(message)
    {
        Hash = hash;
        Failures = failures;
    }

    /// <summary>Which blob.</summary>
    public BlobHash Hash { get; }

    /// <summary>Why each source was dropped, in the order in which they were tried.</summary>
    public IReadOnlyList<SourceFailure> Failures { get; }

    /// <summary>The exception that says best what happened: that somebody sent wrong content, that nobody has it, or that none answers.</summary>
    internal static BlobFetchException From(BlobHash hash, IReadOnlyList<SourceFailure> failures)
    {
        string all = failures.Count == 0 ? "there is nobody to ask" : string.Join("; ", failures);
        if (failures.FirstOrDefault(static failure => failure.Kind == SourceFailureKind.CorruptChunk) is { } corrupt)
            return new CorruptChunkException(hash, corrupt, failures, $"blob {hash} could not be fetched: {all}");
        return failures.All(static failure => failure.Kind == SourceFailureKind.NotFound)
            ? new BlobNotFoundException(hash, failures, $"blob {hash} was not found: {all}")
            : new BlobFetchException(hash, failures, $"blob {hash} could not be fetched: {all}");
    }
}

/// <summary>A source sent content that is not the blob's, and no other source had the right one.</summary>
public sealed class CorruptChunkException : BlobFetchException
{
    internal CorruptChunkException(BlobHash hash, SourceFailure corrupt, IReadOnlyList<SourceFailure> failures, string message)
        : base(hash, failures, message)
    {
        Offset = corrupt.Offset;
        Peer = corrupt.Source;
    }

    /// <summary>Where in the blob the group begins whose content was wrong, in bytes.</summary>
    public long Offset { get; }

    /// <summary>The name of the peer that sent it.</summary>
    public string Peer { get; }
}

/// <summary>All who were asked answered that they do not have the blob, or there was nobody to ask.</summary>
public sealed class BlobNotFoundException : BlobFetchException
{
    internal BlobNotFoundException(BlobHash hash, IReadOnlyList<SourceFailure> failures, string message)
        : base(hash, failures, message)
    {
    }
}
