using Iroh.Blobs.Ranges;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer.Receiving;

namespace Iroh.Blobs.Provider;

/// <summary>Stores what a peer pushes: the blob, then the children that the sequence names, each proven.</summary>
/// <param name="store">Where to.</param>
/// <param name="hashSequenceLengthMax">The most children.</param>
/// <param name="input">What follows the request.</param>
internal sealed class PushReceiver(IBlobStore store, int hashSequenceLengthMax, ResponseReader input)
{
    /// <summary>Called with the length of what was stored.</summary>
    public required Action<int> OnStored { get; init; }

    /// <summary>Receives all that the request announces.</summary>
    /// <returns>Completed, or not found if the children of a sequence follow that is not here as a whole.</returns>
    public async Task<BlobRequestOutcome> ReceiveAsync(IncomingRequest request, CancellationToken cancellationToken)
    {
        BlobHash root = request.Hashes[0];
        await ReceiveAsync(root, request.Ranges[0], cancellationToken).ConfigureAwait(false);
        if (!request.IsHashSequence)
            return BlobRequestOutcome.Completed;
        using var children = HashSequenceContent.TryOpen(store, root, hashSequenceLengthMax);
        if (children is null)
            return BlobRequestOutcome.NotFound;
        foreach ((ulong offset, ChunkRanges ranges) in request.Ranges.Selected((ulong)children.Count + 1))
        {
            if (offset > 0)
                await ReceiveAsync(await children.ReadAsync((int)(offset - 1), cancellationToken).ConfigureAwait(false), ranges, cancellationToken)
                    .ConfigureAwait(false);
        }

        return BlobRequestOutcome.Completed;
    }

    private async Task ReceiveAsync(BlobHash hash, ChunkRanges ranges, CancellationToken cancellationToken)
    {
        if (ranges.IsEmpty)
            return;
        await using IBlobWriter writer = store.OpenWriter(hash);
        using var receiver = new BlobReceiver(input, writer, "the pushing peer") { OnStored = (_, bytes) => OnStored(bytes) };
        BlobBitfield here = writer.Bitfield;
        await receiver.ReceiveAsync(ranges, here.IsSizeVerified ? here.Size : null, cancellationToken).ConfigureAwait(false);
    }
}
