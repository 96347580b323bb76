namespace Iroh.Blobs.Store;

/// <summary>
/// Writes parts of a blob that were verified before, in any order. Several writers may be open for one blob, in this process; each is used by
/// one task at a time. The blob is not collected while a writer is open. What a call wrote is present when it returns, and outlives the
/// process. The owner disposes the writer, with which the progress is made to outlive a power cut, too.
/// </summary>
public interface IBlobWriter : IAsyncDisposable
{
    /// <summary>The blob.</summary>
    BlobHash Hash { get; }

    /// <summary>What is here now, by whatever writer.</summary>
    BlobBitfield Bitfield { get; }

    /// <summary>Ends when all of the blob is here and safe on the disk, by whatever writer; canceled when this writer is disposed before.</summary>
    Task Completed { get; }

    /// <summary>Takes a verified pair of the tree above the groups. All pairs above a leaf are to be written before the leaf.</summary>
    /// <param name="size">The size of the blob that the source claims; 1 to <see cref="BlobStoreOptions.BlobSizeMax"/>.</param>
    /// <param name="outboardOffset">Its place in the pre-order outboard of a blob of that size.</param>
    /// <param name="pair">64 bytes; copied.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="BlobSizeConflictException">Another size is claimed or proven.</exception>
    /// <exception cref="StoreFullException">There is no room.</exception>
    ValueTask WritePairAsync(ulong size, long outboardOffset, ReadOnlyMemory<byte> pair, CancellationToken cancellationToken = default);

    /// <summary>
    /// Takes verified content: one leaf, or a run of neighbouring leaves, which is cheaper. Parts of a group are kept, too, but can be proven
    /// to others, and survive a crash, only when the group is whole. The call that makes the blob complete returns when it is safe on the
    /// disk.
    /// </summary>
    /// <param name="size">As in <see cref="WritePairAsync"/>.</param>
    /// <param name="offset">Where it belongs, a multiple of the chunk length (1024).</param>
    /// <param name="content">A multiple of the chunk length long, unless it ends with the blob. The caller's again on return.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="BlobSizeConflictException">Another size is claimed or proven.</exception>
    /// <exception cref="StoreFullException">There is no room; what was written before stays.</exception>
    /// <exception cref="IOException">The disk failed.</exception>
    ValueTask WriteLeafAsync(ulong size, long offset, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default);
}
