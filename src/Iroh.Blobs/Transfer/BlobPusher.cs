using Iroh.Blobs.Formats;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Requests;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer.Pushing;
using Iroh.Blobs.Transfer.Receiving;

namespace Iroh.Blobs.Transfer;

/// <summary>
/// Brings content of a store to peers that take what is pushed: providers with <see cref="Provider.BlobProviderOptions.AllowPush"/>. The peer
/// verifies it. Thread-safe.
/// </summary>
/// <remarks>
/// <para>The peer is asked first what it has, so that a push that was ended goes on where it stopped, and afterwards whether all has come, as
/// the protocol has no answer to a push. A peer that does not say what it has is sent everything, and the push is not confirmed.</para>
/// <para>What is pushed is kept by nobody at the peer until it is tagged there.</para>
/// </remarks>
public sealed class BlobPusher
{
    private readonly IBlobStore _store;
    private readonly BlobTransferOptions _options;

    /// <summary>A pusher out of a store.</summary>
    /// <param name="store">Stays the caller's.</param>
    /// <param name="options">Null for the defaults. <see cref="BlobTransferOptions.StallTimeout"/> is how long a peer may take nothing, or not
    /// say that all has come.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public BlobPusher(IBlobStore store, BlobTransferOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(store);
        _store = store;
        _options = options ?? new BlobTransferOptions();
        _options.Validate();
    }

    /// <summary>Pushes a blob, or a hash sequence with all its children, over one stream: what the peer does not have of it.</summary>
    /// <param name="peer">Whom to bring it to.</param>
    /// <param name="content">What; complete in the store, with all children, and held meanwhile.</param>
    /// <param name="progress">Told the bytes that were sent so far, with sizes and pairs; null = nobody is.</param>
    /// <param name="cancellationToken">Ends it; what the peer has verified stays there.</param>
    /// <exception cref="BlobMissingException">Something of the content is not in this store. Nothing was sent, unless it was removed or found
    /// damaged while it was.</exception>
    /// <exception cref="BlobTransferException">The peer did not take it: it refuses pushes, is gone, takes nothing for too long, or does not
    /// have it afterwards.</exception>
    /// <exception cref="BlobStoreException">The store failed.</exception>
    public async Task<BlobPushReport> PushAsync(
        IBlobSource peer, HashAndFormat content, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(peer);
        using TempTag hold = _store.Hold(content);
        List<BlobHash> blobs = await ListAsync(peer, content, cancellationToken).ConfigureAwait(false);
        var view = new PeerView(peer, _options);
        (ChunkRangesSequence ranges, List<(BlobHash Hash, ChunkRanges Ranges)> due) = await PlanAsync(view, blobs, cancellationToken).ConfigureAwait(false);
        if (due.Count == 0)
            return new BlobPushReport(0, 0, IsConfirmed: true);
        var stream = new PushStream(_store, peer, content.Hash, _options);
        long sent = await stream.RunAsync(new PushRequest(content.Hash, ranges), due, progress, cancellationToken).ConfigureAwait(false);

        // The peer takes one after the other: when it has the last it has all.
        if (view.Answers)
            await view.WaitForAsync(due[^1].Hash, cancellationToken).ConfigureAwait(false);
        return new BlobPushReport(due.Count, sent, view.Answers);
    }

    /// <summary>The blob and its children, all of which are here.</summary>
    private async Task<List<BlobHash>> ListAsync(IBlobSource peer, HashAndFormat content, CancellationToken cancellationToken)
    {
        List<BlobHash> blobs = [content.Hash];
        Check(content.Hash);
        if (content.Format != BlobFormat.HashSequence)
            return blobs;
        HashSequence children = await HashSequences.ReadAsync(
            _store, content.Hash, peer.Name, _options.HashSequenceLengthMax, cancellationToken).ConfigureAwait(false);
        foreach (BlobHash child in children)
        {
            Check(child);
            blobs.Add(child);
        }

        return blobs;
    }

    private void Check(BlobHash hash)
    {
        if (!hash.IsEmpty && !_store.GetStatus(hash).IsComplete)
            throw new BlobMissingException(hash, "not all of it is in this store, so that it cannot be pushed");
    }

    /// <summary>What the peer lacks of each.</summary>
    private async Task<(ChunkRangesSequence Ranges, List<(BlobHash Hash, ChunkRanges Ranges)> Due)> PlanAsync(
        PeerView view, List<BlobHash> blobs, CancellationToken cancellationToken)
    {
        var sizes = blobs.Distinct().Where(static hash => !hash.IsEmpty).ToDictionary(static hash => hash, hash => (ulong)(_store.GetStatus(hash).Size ?? 0));
        Dictionary<BlobHash, ChunkRanges> lacking = await view.FindLackingAsync(blobs[0], sizes, cancellationToken).ConfigureAwait(false);
        var due = new List<(BlobHash, ChunkRanges)>();
        var ranges = new List<ChunkRanges>(blobs.Count);
        foreach (BlobHash hash in blobs)
        {
            // One that comes twice is sent once.
            ChunkRanges wanted = lacking.Remove(hash, out ChunkRanges? found) ? found : ChunkRanges.Empty;
            ranges.Add(wanted);
            if (!wanted.IsEmpty)
                due.Add((hash, wanted));
        }

        ChunkRangesSequence sequence = ChunkRangesSequence.FromRanges(ranges);
        if (sequence.Spans.Length <= ChunkRangesSequence.SpansMax && new PushRequest(blobs[0], sequence).ToBytes().Length <= BlobProtocol.RequestLengthMax)
            return (sequence, due);

        // More than a request can say: then all of it.
        return (ChunkRangesSequence.All, [.. blobs.Select(static hash => (hash, ChunkRanges.All))]);
    }
}

/// <summary>What a push did.</summary>
/// <param name="Blobs">Blobs of which something was sent; 0 if the peer had it all.</param>
/// <param name="BytesSent">Bytes on the stream behind the request, with sizes and pairs.</param>
/// <param name="IsConfirmed">Whether the peer says that it has it all. False for peers that do not say what they have: then it has taken the
/// bytes, and whether it could store them is not known.</param>
public sealed record BlobPushReport(int Blobs, long BytesSent, bool IsConfirmed);
