namespace Iroh.Blobs.Store;

/// <summary>How much of a blob a store has.</summary>
public enum BlobPresence
{
    /// <summary>Nothing.</summary>
    Absent,

    /// <summary>Some of it.</summary>
    Partial,

    /// <summary>All of it.</summary>
    Complete,
}

/// <summary>What a store has of a blob.</summary>
/// <param name="Presence">How much.</param>
/// <param name="Size">Bytes of the whole blob, if that is proven: the blob is complete or its last chunk is here; else null.</param>
/// <param name="PresentBytes">Bytes that are here.</param>
public readonly record struct BlobStatus(BlobPresence Presence, long? Size, long PresentBytes)
{
    /// <summary>Whether all of it is here.</summary>
    public bool IsComplete => Presence == BlobPresence.Complete;
}

/// <summary>A blob of a store's list.</summary>
/// <param name="Hash">The blob.</param>
/// <param name="Status">What is here of it; never absent.</param>
public readonly record struct BlobEntry(BlobHash Hash, BlobStatus Status);
