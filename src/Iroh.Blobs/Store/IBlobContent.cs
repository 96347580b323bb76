using Iroh.Blobs.Ranges;

namespace Iroh.Blobs.Store;

/// <summary>
/// An open blob, complete or partial; a partial one may grow meanwhile. It is not collected while it is open. Its owner disposes it.
/// Thread-safe: several may read at once.
/// </summary>
public interface IBlobContent : IDisposable
{
    /// <summary>The blob.</summary>
    BlobHash Hash { get; }

    /// <summary>Bytes of the whole blob; a claim while <see cref="Bitfield"/> does not say that it is verified.</summary>
    long Size { get; }

    /// <summary>Which chunks are here now.</summary>
    BlobBitfield Bitfield { get; }

    /// <summary>
    /// The chunks that can be proven to others: those of groups (16 KiB) that are here as a whole. <see cref="ReadGroupsAsync"/> reads them.
    /// </summary>
    ChunkRanges Provable { get; }

    /// <summary>
    /// Reads whole groups and checks them against the blob's hash, with all that lies between: what it returns is right. Costs one reading
    /// and one hashing; a run of 256 KiB or more in one call is cheapest.
    /// </summary>
    /// <param name="offset">Where to begin, a multiple of the group length (16 KiB), at most <see cref="Size"/>.</param>
    /// <param name="destination">At least one group long; filled with as many whole groups as fit (the blob's last one is shorter).</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <returns>Bytes read: less than fit if the blob ends or the next group is not here as a whole; 0 if the first is not.</returns>
    /// <exception cref="BlobDamagedException">What is on the disk is wrong. The store gives up the group, so that it can be fetched
    /// again.</exception>
    ValueTask<int> ReadGroupsAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken = default);

    /// <summary>Reads pairs of the tree of hashes as they are stored, unchecked; zeros where nothing was written yet.</summary>
    /// <param name="outboardOffset">Where in the pre-order outboard to begin, a multiple of the pair length (64).</param>
    /// <param name="destination">Filled; a multiple of the pair length long. Neighbours in the outboard are read as one.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="BlobDamagedException">The outboard ends before.</exception>
    ValueTask ReadPairsAsync(long outboardOffset, Memory<byte> destination, CancellationToken cancellationToken = default);

    /// <summary>
    /// Reads bytes at any offset, out of groups that are read and checked as a whole.
    /// </summary>
    /// <param name="offset">Where to begin.</param>
    /// <param name="destination">Where to.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <returns>Bytes read; fewer than fit at the end of a group run, 0 only at or behind the end of the blob.</returns>
    /// <exception cref="BlobMissingException">The bytes at the offset are not here, or not in a group that is here as a whole.</exception>
    /// <exception cref="BlobDamagedException">What is on the disk is wrong.</exception>
    ValueTask<int> ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken = default);

    /// <summary>The blob as a seekable, read-only stream over <see cref="ReadAsync"/>, for one reader. Disposing it does not close this.</summary>
    Stream OpenStream();
}
