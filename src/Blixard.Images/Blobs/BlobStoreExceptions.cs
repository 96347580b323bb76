using Iroh.Blobs;

namespace Blixard.Images.Blobs;

/// <summary>There is no room for a blob: the disk or the store's quota is full. What was stored before is untouched, and a fetch that met it
/// goes on where it stopped when it is asked for again.</summary>
public sealed class StoreFullException : ImageException
{
    internal StoreFullException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}

/// <summary>A stored blob is not what its name says: its length or its content differs.</summary>
public sealed class DamagedBlobException : ImageException
{
    internal DamagedBlobException(BlobHash hash, string what)
        : base($"blob {hash} is damaged on this disk: {what}") => Hash = hash;

    /// <summary>Which blob.</summary>
    public BlobHash Hash { get; }
}
