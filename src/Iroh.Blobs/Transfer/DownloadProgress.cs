namespace Iroh.Blobs.Transfer;

/// <summary>What a source does for a download.</summary>
public enum BlobSourceState
{
    /// <summary>It is asked for something.</summary>
    Active,

    /// <summary>It has nothing that is missing here at present.</summary>
    Waiting,

    /// <summary>It is asked no more; <see cref="SourceProgress.Failure"/> says why.</summary>
    Dropped,
}

/// <summary>How it stands with one source of a download.</summary>
/// <param name="Name">The source's name.</param>
/// <param name="Bytes">What it sent, with sizes and pairs.</param>
/// <param name="BytesPerSecond">How fast it was lately; 0 before it sent anything.</param>
/// <param name="State">What it does.</param>
/// <param name="Failure">Why it was dropped, or null.</param>
public sealed record SourceProgress(string Name, long Bytes, double BytesPerSecond, BlobSourceState State, BlobTransferException? Failure);

/// <summary>How far a download is.</summary>
/// <param name="Blob">What was asked for: the root of a hash sequence.</param>
/// <param name="Present">Bytes of content that are here, with those that were here before; of children, those whose size is known.</param>
/// <param name="Total">Bytes of all content whose size is known; 0 before anything is. Grows while the children of a sequence begin.</param>
/// <param name="Sources">All sources so far, in the order in which they came.</param>
public sealed record DownloadProgress(BlobHash Blob, long Present, long Total, IReadOnlyList<SourceProgress> Sources);
