using Iroh.Blobs.Bao;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer.Receiving;
using Iroh.Quic;

namespace Iroh.Blobs.Transfer.Pushing;

/// <summary>What a peer says that it has. Nothing of it is proven: who lies gets too little. One owner.</summary>
internal sealed class PeerView(IBlobSource peer, BlobTransferOptions options)
{
    /// <summary>Children of less are sent without asking: the answer would take longer than they do.</summary>
    private const ulong AskedSizeMin = 64 * 1024;

    /// <summary>Children that are asked for at most, the largest ones: each is a stream, and a thousand cover what is large in most sequences.</summary>
    private const int AskedMax = 1024;

    /// <summary>Whether the peer says what it has.</summary>
    public bool Answers { get; private set; }

    /// <summary>What the peer lacks of blobs.</summary>
    /// <param name="root">Asked for in any case.</param>
    /// <param name="sizes">All of them, with their sizes.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<Dictionary<BlobHash, ChunkRanges>> FindLackingAsync(
        BlobHash root, IReadOnlyDictionary<BlobHash, ulong> sizes, CancellationToken cancellationToken)
    {
        var lacking = sizes.Keys.ToDictionary(static hash => hash, static _ => ChunkRanges.All);
        if (!sizes.TryGetValue(root, out ulong rootSize))
            return lacking; // the empty blob, which everybody has
        ChunkRanges? first = await AskAsync(root, rootSize, cancellationToken).ConfigureAwait(false);
        Answers = first is not null;
        if (first is null)
            return lacking;
        lacking[root] = first;
        BlobHash[] asked = [.. sizes.Where(blob => blob.Key != root && blob.Value >= AskedSizeMin).OrderByDescending(static blob => blob.Value)
            .Take(AskedMax).Select(static blob => blob.Key)];
        foreach (BlobHash[] batch in asked.Chunk(options.ChildrenAtOnce))
        {
            ChunkRanges?[] answers = await Task.WhenAll(batch.Select(hash => AskAsync(hash, sizes[hash], cancellationToken))).ConfigureAwait(false);
            for (int i = 0; i < batch.Length; i++)
                lacking[batch[i]] = answers[i] ?? ChunkRanges.All;
        }

        return lacking;
    }

    /// <summary>Waits until the peer says that it has a blob.</summary>
    /// <exception cref="BlobTransferException">It does not within <see cref="BlobTransferOptions.StallTimeout"/> after the last news, or ends
    /// before.</exception>
    public async Task WaitForAsync(BlobHash hash, CancellationToken cancellationToken)
    {
        using var timer = new CancellationTokenSource(options.StallTimeout, options.TimeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        try
        {
            await foreach (BlobBitfield here in BlobObserver.ObserveAsync(peer, hash, either.Token).ConfigureAwait(false))
            {
                if (here.IsComplete)
                    return;
                timer.CancelAfter(options.StallTimeout);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new BlobTransferException(
                BlobTransferFailure.Stalled, hash, peer.Name,
                $"{peer.Name} took all that was pushed, and does not say for {options.StallTimeout.TotalSeconds:0.#} s that it has it: blob {hash}");
        }
        catch (Exception exception) when (exception is IOException or QuicException or IrohConnectException)
        {
            throw new BlobTransferException(
                BlobTransferFailure.Lost, hash, peer.Name, $"{peer.Name} was lost before it said that it has it ({exception.Message}): blob {hash}", exception);
        }

        throw new BlobTransferException(
            BlobTransferFailure.Aborted, hash, peer.Name, $"{peer.Name} took all that was pushed and does not have it afterwards: blob {hash}");
    }

    // Null if it does not say.
    private async Task<ChunkRanges?> AskAsync(BlobHash hash, ulong size, CancellationToken cancellationToken)
    {
        using var timer = new CancellationTokenSource(options.StallTimeout, options.TimeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        try
        {
            await foreach (BlobBitfield here in BlobObserver.ObserveAsync(peer, hash, either.Token).ConfigureAwait(false))
                return LackOf(here, size);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // It takes too long; what is wrong with it is told when something is pushed.
        }
        catch (Exception exception) when (exception is IOException or QuicException or IrohConnectException)
        {
            // It may not be asked, or is gone.
        }

        return null;
    }

    private static ChunkRanges LackOf(BlobBitfield here, ulong size)
    {
        if (here.IsComplete)
            return ChunkRanges.Empty;

        // What it has under another size is wrong.
        if (here.Size != size)
            return ChunkRanges.All;
        ChunkRanges lack = ChunkRanges.FromChunks(0, BaoTree.ChunkCount(size)).Except(here.Present.WholeGroups(size));

        // A sieve is filled from its last hole that a request can name.
        if (lack.RangeCount > BlobFetch.RangesMax)
            lack = lack.FirstRanges(BlobFetch.RangesMax).Union(ChunkRanges.FromChunks(lack.Boundaries[2 * BlobFetch.RangesMax], BaoTree.ChunkCount(size)));
        return lack;
    }
}
