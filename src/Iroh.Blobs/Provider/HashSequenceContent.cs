using System.Buffers;
using Iroh.Blobs.Bao;
using Iroh.Blobs.Store;

namespace Iroh.Blobs.Provider;

/// <summary>The hashes of a complete hash sequence in a store, read as they are needed. One owner.</summary>
internal sealed class HashSequenceContent : IDisposable
{
    private readonly IBlobContent _content;
    private readonly byte[] _group = ArrayPool<byte>.Shared.Rent(BaoTree.GroupLength);
    private long _groupOffset = -1;

    private HashSequenceContent(IBlobContent content, int count) => (_content, Count) = (content, count);

    /// <summary>Hashes in it.</summary>
    public int Count { get; }

    /// <summary>Opens a sequence.</summary>
    /// <returns>Null if it is not here as a whole, is no sequence, or has more than <paramref name="countMax"/> hashes.</returns>
    public static HashSequenceContent? TryOpen(IBlobStore store, BlobHash hash, int countMax)
    {
        IBlobContent? content = store.TryOpen(hash);
        if (content is { Bitfield: { IsComplete: true, Size: ulong size } } && size % BlobHash.Length == 0 && size / BlobHash.Length <= (ulong)countMax)
            return new HashSequenceContent(content, (int)(size / BlobHash.Length));
        content?.Dispose();
        return null;
    }

    /// <summary>Reads a hash.</summary>
    /// <param name="index">0 to before <see cref="Count"/>.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="BlobDamagedException">What is on the disk is wrong.</exception>
    /// <exception cref="BlobMissingException">It was given up meanwhile.</exception>
    public async ValueTask<BlobHash> ReadAsync(int index, CancellationToken cancellationToken)
    {
        long offset = (long)index * BlobHash.Length;
        long groupOffset = offset / BaoTree.GroupLength * BaoTree.GroupLength;
        if (groupOffset != _groupOffset)
        {
            int wanted = BaoTree.GroupLengthAt((ulong)_content.Size, groupOffset);
            int read = await _content.ReadGroupsAsync(groupOffset, _group.AsMemory(0, BaoTree.GroupLength), cancellationToken).ConfigureAwait(false);
            if (read < wanted)
                throw new BlobMissingException(_content.Hash, "the hash sequence is no longer complete");
            _groupOffset = groupOffset;
        }

        return new BlobHash(_group.AsSpan((int)(offset - groupOffset), BlobHash.Length));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_group);
        _content.Dispose();
    }
}
