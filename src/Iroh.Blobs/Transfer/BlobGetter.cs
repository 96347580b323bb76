using Iroh.Blobs.Formats;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Requests;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer.Receiving;

namespace Iroh.Blobs.Transfer;

/// <summary>
/// Gets content from one source into a store, verifying it on the way and asking only for what is missing. For several sources there is
/// <see cref="BlobDownloader"/>. Thread-safe.
/// </summary>
/// <remarks>The size of a blob that is asked for by itself is proven before anything beyond its first 64 KiB is asked for, whatever the source
/// claims.</remarks>
public sealed class BlobGetter
{
    /// <summary>Bytes of a boundary of ranges in a request at most.</summary>
    private const int BoundaryLengthMax = 10;

    private readonly IBlobStore _store;
    private readonly BlobTransferOptions _options;

    /// <summary>A getter into a store.</summary>
    /// <param name="store">Stays the caller's.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public BlobGetter(IBlobStore store, BlobTransferOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(store);
        _store = store;
        _options = options ?? new BlobTransferOptions();
        _options.Validate();
    }

    /// <summary>Gets a blob, or a hash sequence with all its children: these in one request, in their order. Returns when all of it is safe in
    /// the store; whoever wants to keep it holds or tags it before.</summary>
    /// <param name="source">Whom to ask.</param>
    /// <param name="content">What.</param>
    /// <param name="progress">Told the bytes of content that were stored so far; null = nobody is.</param>
    /// <param name="cancellationToken">Ends it; what came is kept and not asked for again.</param>
    /// <exception cref="BlobTransferException">The source did not deliver.</exception>
    /// <exception cref="BlobStoreException">The store failed.</exception>
    public async Task GetAsync(
        IBlobSource source, HashAndFormat content, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        long stored = 0;
        void OnStored(ulong offset, int bytes) => progress?.Report(stored += bytes);
        await GetBlobAsync(source, content.Hash, OnStored, cancellationToken).ConfigureAwait(false);
        if (content.Format != BlobFormat.HashSequence)
            return;
        HashSequence children = await HashSequences.ReadAsync(
            _store, content.Hash, source.Name, _options.HashSequenceLengthMax, cancellationToken).ConfigureAwait(false);
        while (FindMissing(children) is { Due.Count: > 0 } missing)
        {
            BlobHash? disputed = await ReceiveDueAsync(
                source, content.Hash, new GetRequest(content.Hash, missing.Wanted).ToBytes(), missing.Due, OnStored, cancellationToken)
                .ConfigureAwait(false);

            // Its size was once claimed to be another; proven, it is undisputed from now on.
            if (disputed is { } hash)
                await GetBlobAsync(source, hash, OnStored, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Gets several blobs, without children: all that is missing of them in one request, or in few if there are thousands. Returns when all of
    /// them are safe in the store; whoever wants to keep them holds or tags them before.
    /// </summary>
    /// <param name="source">Whom to ask. Sources of iroh-blobs before 0.90 do not know the request, and are said not to have the blobs.</param>
    /// <param name="hashes">Which; one that comes twice is asked for once. They arrive in this order.</param>
    /// <param name="progress">As in <see cref="GetAsync"/>.</param>
    /// <param name="cancellationToken">Ends it; what came is kept and not asked for again.</param>
    /// <exception cref="BlobTransferException">The source did not deliver. If it does not have one of the blobs, the exception names it; what
    /// comes before it in the list is here, and nothing behind it.</exception>
    /// <exception cref="BlobStoreException">The store failed.</exception>
    public async Task GetManyAsync(
        IBlobSource source, IReadOnlyCollection<BlobHash> hashes, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(hashes);
        long stored = 0;
        void OnStored(ulong offset, int bytes) => progress?.Report(stored += bytes);
        while (FindMissingListed(hashes) is { Count: > 0 } due)
        {
            var request = new GetManyRequest(
                [.. due.Select(static missing => missing.Hash)], ChunkRangesSequence.FromRanges(due.Select(static missing => missing.Ranges)));
            BlobHash? disputed = await ReceiveDueAsync(source, due[0].Hash, request.ToBytes(), due, OnStored, cancellationToken).ConfigureAwait(false);
            if (disputed is { } hash)
                await GetBlobAsync(source, hash, OnStored, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Asks for the size of a blob and has it proven. Nothing is stored but the last chunk.</summary>
    /// <returns>In bytes.</returns>
    /// <exception cref="BlobTransferException">The source did not deliver.</exception>
    public async Task<long> GetSizeAsync(IBlobSource source, BlobHash hash, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        if (_store.GetStatus(hash).Size is { } known)
            return known;
        await using IBlobWriter writer = _store.OpenWriter(hash);
        return (long)await BlobFetch.FetchAsync(source, writer, ChunkRanges.LastChunk, null, _options, null, null, null, cancellationToken)
            .ConfigureAwait(false);
    }

    /// <summary>Gets ranges of a blob, those that are not here.</summary>
    /// <param name="source">Whom to ask.</param>
    /// <param name="hash">The blob.</param>
    /// <param name="ranges">What of it; groups that they touch are fetched whole, so that they can be proven to others.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="BlobTransferException">The source did not deliver.</exception>
    /// <exception cref="BlobStoreException">The store failed.</exception>
    public async Task GetRangesAsync(IBlobSource source, BlobHash hash, ChunkRanges ranges, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(ranges);
        if (hash.IsEmpty || _store.GetStatus(hash).IsComplete)
            return;
        await using IBlobWriter writer = _store.OpenWriter(hash);
        ulong size = await BlobFetch.ProveSizeAsync(source, writer, _options, null, cancellationToken).ConfigureAwait(false);
        ChunkRanges wanted = ranges.Resolve(size).ExpandToGroups();
        await FetchMissingAsync(source, writer, size, wanted, null, cancellationToken).ConfigureAwait(false);
    }

    private async Task GetBlobAsync(IBlobSource source, BlobHash hash, Action<ulong, int> onStored, CancellationToken cancellationToken)
    {
        if (hash.IsEmpty || _store.GetStatus(hash).IsComplete)
            return;
        await using IBlobWriter writer = _store.OpenWriter(hash);
        ulong size = await BlobFetch.ProveSizeAsync(source, writer, _options, null, cancellationToken).ConfigureAwait(false);
        await FetchMissingAsync(source, writer, size, ChunkRanges.All, onStored, cancellationToken).ConfigureAwait(false);
        await writer.Completed.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task FetchMissingAsync(
        IBlobSource source, IBlobWriter writer, ulong size, ChunkRanges wanted, Action<ulong, int>? onStored, CancellationToken cancellationToken)
    {
        // Each turn brings what it asks for or fails, so there are as many as there are holes by the hundred.
        while (BlobFetch.Missing(writer, size).Intersect(wanted) is { IsEmpty: false } missing)
        {
            await BlobFetch.FetchAsync(
                source, writer, missing.FirstRanges(BlobFetch.RangesMax), size, _options, onStored, null, null, cancellationToken)
                .ConfigureAwait(false);
        }
    }

    /// <summary>Gets what is missing of several blobs in one request.</summary>
    /// <param name="source">Whom to ask.</param>
    /// <param name="named">The blob that errors of the request as a whole name.</param>
    /// <param name="request">Asks for what is due, in its order.</param>
    /// <param name="due">What the answer has to bring.</param>
    /// <param name="onStored">See <see cref="BlobReceiver.OnStored"/>.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>Null when all came; a blob whose size is disputed otherwise.</returns>
    private Task<BlobHash?> ReceiveDueAsync(
        IBlobSource source, BlobHash named, byte[] request, List<(BlobHash Hash, ChunkRanges Ranges)> due, Action<ulong, int> onStored,
        CancellationToken cancellationToken)
    {
        return SourceRequest.RunAsync(source, named, request, _options, ReceiveAsync, cancellationToken);

        async Task<BlobHash?> ReceiveAsync(ResponseReader input)
        {
            foreach ((BlobHash hash, ChunkRanges ranges) in due)
            {
                await using IBlobWriter writer = _store.OpenWriter(hash);
                using var receiver = new BlobReceiver(input, writer, source.Name) { OnStored = onStored };
                BlobBitfield here = writer.Bitfield;
                try
                {
                    await receiver.ReceiveAsync(ranges, here.IsSizeVerified ? here.Size : null, cancellationToken).ConfigureAwait(false);
                }
                catch (BlobSizeConflictException conflict) when (!conflict.IsVerified)
                {
                    return hash;
                }
            }

            return null;
        }
    }

    /// <summary>What is missing of children, as much as fits a request: one that comes twice is asked for once.</summary>
    private (ChunkRangesSequence Wanted, List<(BlobHash Hash, ChunkRanges Ranges)> Due) FindMissing(HashSequence children)
    {
        var ranges = new List<ChunkRanges> { ChunkRanges.Empty };
        var due = new List<(BlobHash, ChunkRanges)>();
        var seen = new HashSet<BlobHash>();
        foreach (BlobHash child in children)
        {
            ChunkRanges missing = !seen.Add(child) || child.IsEmpty || due.Count >= ChunkRangesSequence.SpansMax / 2 ? ChunkRanges.Empty : MissingOf(child);
            ranges.Add(missing);
            if (!missing.IsEmpty)
                due.Add((child, missing));
        }

        return (ChunkRangesSequence.FromRanges(ranges), due);
    }

    /// <summary>What is missing of listed blobs, as much as fits a request.</summary>
    private List<(BlobHash Hash, ChunkRanges Ranges)> FindMissingListed(IEnumerable<BlobHash> hashes)
    {
        var due = new List<(BlobHash, ChunkRanges)>();
        var seen = new HashSet<BlobHash>();
        int length = 0;
        foreach (BlobHash hash in hashes)
        {
            if (hash.IsEmpty || !seen.Add(hash))
                continue;
            ChunkRanges missing = MissingOf(hash);
            length += missing.IsEmpty ? 0 : BlobHash.Length + ((missing.Boundaries.Length + 2) * BoundaryLengthMax);
            if (length > BlobProtocol.RequestLengthMax || due.Count == ChunkRangesSequence.SpansMax / 2)
                break;
            if (!missing.IsEmpty)
                due.Add((hash, missing));
        }

        return due;
    }

    private ChunkRanges MissingOf(BlobHash hash)
    {
        using IBlobContent? content = _store.TryOpen(hash);
        return content switch
        {
            null => ChunkRanges.All,
            { Bitfield.IsComplete: true } => ChunkRanges.Empty,
            { Bitfield.IsSizeVerified: true } => ChunkRanges.All.Except(content.Provable).FirstRanges(BlobFetch.RangesMax),

            // What came under a claim is asked for again with the rest: the claim may be wrong.
            _ => ChunkRanges.All,
        };
    }
}
