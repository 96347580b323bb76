using Iroh.Blobs.Bao;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Requests;
using Iroh.Blobs.Store;

namespace Iroh.Blobs.Transfer.Receiving;

/// <summary>Requests for ranges of one blob that end in a store.</summary>
internal static class BlobFetch
{
    /// <summary>What is asked for along with the size, in chunks: a blob that is not larger comes with the first request, and less than
    /// <see cref="BlobReceiver.HeldBytesMax"/> is held back until the size is proven.</summary>
    public const ulong ProbeChunks = 64;

    /// <summary>The most ranges in one request: a few kilobytes.</summary>
    public const int RangesMax = 512;

    /// <summary>Proves the size of a blob by its last chunk, with as much of its beginning as fits, or all of it.</summary>
    /// <param name="source">Whom to ask.</param>
    /// <param name="writer">Where to.</param>
    /// <param name="options">The limits.</param>
    /// <param name="onReceived">Told how many bytes came; null = nobody is.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <returns>The size.</returns>
    /// <exception cref="BlobTransferException">The source did not deliver.</exception>
    public static async Task<ulong> ProveSizeAsync(
        IBlobSource source, IBlobWriter writer, BlobTransferOptions options, Action<int>? onReceived, CancellationToken cancellationToken)
    {
        BlobBitfield here = writer.Bitfield;
        if (here.IsSizeVerified)
            return here.Size;

        // A try that was ended may have brought the beginning.
        ChunkRanges first = ChunkRanges.FromChunks(0, ProbeChunks)
            .Except(here.Size > 0 ? here.Present.WholeGroups(here.Size) : ChunkRanges.Empty);
        ulong size;
        try
        {
            size = await FetchAsync(source, writer, first.Union(ChunkRanges.LastChunk), null, options, null, null, onReceived, cancellationToken)
                .ConfigureAwait(false);
        }
        catch (BlobTransferException exception) when (exception.Failure == BlobTransferFailure.NotFound)
        {
            // One that is downloading itself may have the end without the beginning.
            size = await FetchAsync(source, writer, ChunkRanges.LastChunk, null, options, null, null, onReceived, cancellationToken)
                .ConfigureAwait(false);
        }

        // The last chunk can be proven to others only with the whole group; who asks us needs it as we did.
        ulong lastGroup = (BaoTree.GroupCount(size) - 1) * BaoTree.GroupChunks;
        if (lastGroup >= ProbeChunks)
        {
            ChunkRanges rest = ChunkRanges.FromChunks(lastGroup, BaoTree.ChunkCount(size));
            await FetchAsync(source, writer, rest, size, options, null, null, onReceived, cancellationToken).ConfigureAwait(false);
        }

        return size;
    }

    /// <summary>Fetches ranges of a blob.</summary>
    /// <param name="source">Whom to ask.</param>
    /// <param name="writer">Where to.</param>
    /// <param name="ranges">What.</param>
    /// <param name="provenSize">The size if it is proven, else null.</param>
    /// <param name="options">The limits.</param>
    /// <param name="onStored">See <see cref="BlobReceiver.OnStored"/>.</param>
    /// <param name="isWanted">See <see cref="BlobReceiver.IsWanted"/>.</param>
    /// <param name="onReceived">Told how many bytes came.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <returns>The size that the source gave; proven if it was, or if the last chunk was among the ranges.</returns>
    /// <exception cref="BlobTransferException">The source did not deliver.</exception>
    public static Task<ulong> FetchAsync(
        IBlobSource source, IBlobWriter writer, ChunkRanges ranges, ulong? provenSize, BlobTransferOptions options,
        Action<ulong, int>? onStored, Func<ulong, bool>? isWanted, Action<int>? onReceived, CancellationToken cancellationToken)
    {
        byte[] request = GetRequest.OfBlob(writer.Hash, ranges).ToBytes();
        return SourceRequest.RunAsync(source, writer.Hash, request, options, ReceiveAsync, cancellationToken);

        async Task<ulong> ReceiveAsync(ResponseReader input)
        {
            input.OnReceived = onReceived;
            using var receiver = new BlobReceiver(input, writer, source.Name) { OnStored = onStored, IsWanted = isWanted };
            await receiver.ReceiveAsync(ranges, provenSize, cancellationToken).ConfigureAwait(false);
            return receiver.Size;
        }
    }

    /// <summary>What is missing of a blob in groups: chunks of groups that are not here as a whole.</summary>
    public static ChunkRanges Missing(IBlobWriter writer, ulong size) =>
        ChunkRanges.FromChunks(0, BaoTree.ChunkCount(size)).Except(writer.Bitfield.Present.WholeGroups(size));
}
