namespace Iroh.Blobs.Transfer;

/// <summary>Why a source did not deliver.</summary>
public enum BlobTransferFailure
{
    /// <summary>The source does not have what was asked for, or not all of it.</summary>
    NotFound,

    /// <summary>The source does not give it to this endpoint.</summary>
    Refused,

    /// <summary>The source has too many requests; later it may do.</summary>
    Limited,

    /// <summary>The source could not be reached, or the way to it was lost.</summary>
    Lost,

    /// <summary>The source gave the request up in the middle.</summary>
    Aborted,

    /// <summary>The source sent bytes that do not belong to the blob, or claimed a size that it does not have.</summary>
    Lying,

    /// <summary>The source sent nothing for too long.</summary>
    Stalled,

    /// <summary>The source sends, but so slowly that waiting for it is no use.</summary>
    Trickling,
}

/// <summary>A blob did not come, or not all of it. What came before and was right is in the store, and is not asked for again.</summary>
public class BlobTransferException : IOException
{
    /// <summary>A failure of one source.</summary>
    /// <param name="failure">Why.</param>
    /// <param name="blob">Which blob; of a hash sequence the child, if it is known.</param>
    /// <param name="source">The source's name.</param>
    /// <param name="message">What happened, for people.</param>
    /// <param name="innerException">What it came from; null if from nothing.</param>
    public BlobTransferException(BlobTransferFailure failure, BlobHash blob, string source, string message, Exception? innerException = null)
        : base(message, innerException) => (Failure, Blob, SourceName) = (failure, blob, source);

    /// <summary>Why.</summary>
    public BlobTransferFailure Failure { get; }

    /// <summary>Which blob.</summary>
    public BlobHash Blob { get; }

    /// <summary>The name of the source that failed, or of the one that failed worst.</summary>
    public string SourceName { get; }

    /// <summary>Whether the same source may deliver later without anybody changing anything.</summary>
    public bool IsTransient => Failure is not (BlobTransferFailure.Lying or BlobTransferFailure.Refused);
}
