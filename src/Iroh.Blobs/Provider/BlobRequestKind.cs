namespace Iroh.Blobs.Provider;

/// <summary>What a peer asks for.</summary>
public enum BlobRequestKind
{
    /// <summary>Ranges of a blob, or of a hash sequence and its children.</summary>
    Get,

    /// <summary>Ranges of several blobs.</summary>
    GetMany,

    /// <summary>To be told which ranges are here, now and as they come.</summary>
    Observe,

    /// <summary>To bring blobs.</summary>
    Push,
}
