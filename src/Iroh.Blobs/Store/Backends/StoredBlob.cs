namespace Iroh.Blobs.Store.Backends;

/// <summary>Where a complete blob's content is. The numbers are those of the index.</summary>
internal enum ContentPlace
{
    /// <summary>In the index; memory of the memory store.</summary>
    Inline = 0,

    /// <summary>In a file of the store.</summary>
    Owned = 1,

    /// <summary>In somebody else's file.</summary>
    Reference = 2,
}

/// <summary>Where a complete blob's outboard is. The numbers are those of the index.</summary>
internal enum OutboardPlace
{
    /// <summary>A blob of one group has none.</summary>
    None = 0,

    /// <summary>In the index.</summary>
    Inline = 1,

    /// <summary>In a file of the store.</summary>
    Owned = 2,
}

/// <summary>What the index says of a complete blob.</summary>
/// <param name="Size">Bytes.</param>
/// <param name="Content">Where they are.</param>
/// <param name="Outboard">Where the outboard is.</param>
/// <param name="Reference">The file, if they are in somebody else's.</param>
internal sealed record StoredBlob(long Size, ContentPlace Content, OutboardPlace Outboard, FileReference? Reference)
{
    /// <summary>What counts for the quota.</summary>
    public long Charge => Content == ContentPlace.Reference ? 0 : Size;
}

/// <summary>A file that is not the store's, and how it was when it was hashed.</summary>
/// <param name="Path">Absolute.</param>
/// <param name="ModifiedTicks">When it was last written, in ticks of UTC.</param>
internal sealed record FileReference(string Path, long ModifiedTicks);

/// <summary>What is recorded of a partial blob.</summary>
/// <param name="Hash">The blob.</param>
/// <param name="Bitfield">The chunks that are surely here, and the size that is claimed; null if the record is gone or damaged.</param>
/// <param name="IsClean">Whether nothing was written after the record, so that no more than that is here.</param>
/// <param name="MayBeWhole">Whether it may be complete, with an outboard that is lost.</param>
internal sealed record StoredPartial(BlobHash Hash, BlobBitfield? Bitfield, bool IsClean, bool MayBeWhole = false);
