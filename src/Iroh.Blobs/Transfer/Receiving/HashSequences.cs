using Iroh.Blobs.Formats;
using Iroh.Blobs.Store;

namespace Iroh.Blobs.Transfer.Receiving;

/// <summary>Reads hash sequences that were fetched.</summary>
internal static class HashSequences
{
    /// <summary>Reads a complete blob as a hash sequence.</summary>
    /// <exception cref="BlobTransferException">It is none: whoever named it as one was wrong.</exception>
    /// <exception cref="BlobStoreException">The store failed.</exception>
    public static async Task<HashSequence> ReadAsync(
        IBlobStore store, BlobHash hash, string source, int lengthMax, CancellationToken cancellationToken)
    {
        using IBlobContent content = store.TryOpen(hash)
            ?? throw new BlobTransferException(BlobTransferFailure.NotFound, hash, source, $"the hash sequence {hash} was removed meanwhile");
        if (content.Size % BlobHash.Length != 0 || content.Size / BlobHash.Length > lengthMax)
        {
            throw new BlobTransferException(
                BlobTransferFailure.NotFound, hash, source,
                $"blob {hash} is no hash sequence of at most {lengthMax} children: it has {content.Size} bytes. Fetch it as a single blob");
        }

        var bytes = new byte[content.Size];
        for (int length = 0; length < bytes.Length;)
            length += await content.ReadAsync(length, bytes.AsMemory(length), cancellationToken).ConfigureAwait(false);
        return HashSequence.TryRead(bytes, out HashSequence sequence)
            ? sequence
            : throw new BlobTransferException(BlobTransferFailure.NotFound, hash, source, $"blob {hash} is no hash sequence");
    }
}
