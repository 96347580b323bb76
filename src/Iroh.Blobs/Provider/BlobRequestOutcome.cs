namespace Iroh.Blobs.Provider;

/// <summary>How a request ended.</summary>
public enum BlobRequestOutcome
{
    /// <summary>Everything that was asked for was handed to the stream, or everything pushed was stored.</summary>
    Completed,

    /// <summary>What was asked for is not here, or not all of it.</summary>
    NotFound,

    /// <summary>Refused: no permission.</summary>
    Refused,

    /// <summary>Refused: a limit.</summary>
    Limited,

    /// <summary>The request could not be read, or what was pushed did not belong to the blob.</summary>
    Malformed,

    /// <summary>The peer went, stopped reading, or read too slowly.</summary>
    Aborted,

    /// <summary>What is in the store is not what its hash says. Nothing wrong was sent; the store was told.</summary>
    Damaged,

    /// <summary>The store failed.</summary>
    Failed,
}
