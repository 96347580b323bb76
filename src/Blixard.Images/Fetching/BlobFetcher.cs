using System.Buffers;
using Blixard.Images.Blobs;
using Iroh.Blobs;

namespace Blixard.Images.Fetching;

/// <summary>
/// Brings blobs into a store from sources that need not be trusted. Each group is checked before it is written; a source that fails in any
/// way is dropped for this blob, and the next one goes on where it stopped. Thread-safe: fetches of one blob take turns, and all but the
/// first find it there. Holds one group (1 MiB) and the blob's group list for each fetch, whatever comes.
/// </summary>
public sealed class BlobFetcher
{
    /// <summary>How long a source may send nothing before the next one is tried, unless said otherwise: long enough for a path change or a
    /// disk that wakes up, short enough that a dead peer does not hold up a VM.</summary>
    public static readonly TimeSpan DefaultStallTimeout = TimeSpan.FromSeconds(20);

    private readonly BlobStore _store;
    private readonly TimeProvider _time;
    private readonly TimeSpan _stallTimeout;

    /// <summary>A fetcher.</summary>
    /// <param name="store">Where blobs go.</param>
    /// <param name="time">The clock of the stall timeout.</param>
    /// <param name="stallTimeout">Null = <see cref="DefaultStallTimeout"/>.</param>
    public BlobFetcher(BlobStore store, TimeProvider time, TimeSpan? stallTimeout = null)
    {
        _store = store;
        _time = time;
        _stallTimeout = stallTimeout ?? DefaultStallTimeout;
    }

    /// <summary>Brings a blob into the store. Does nothing if it is there.</summary>
    /// <param name="hash">The blob.</param>
    /// <param name="size">Its size in bytes, as its manifest says: 1 to <see cref="ChunkGroups.BlobSizeMax"/>.</param>
    /// <param name="sources">Whom to ask, best first.</param>
    /// <param name="progress">Told how many bytes are here and from whom, at the beginning and after each group; null = nobody is.</param>
    /// <param name="cancellationToken">Ends it; what is here is kept for the next time.</param>
    /// <exception cref="BlobFetchException">No source is left; the subclasses say why.</exception>
    /// <exception cref="StoreFullException">There is no room.</exception>
    public async Task FetchAsync(
        BlobHash hash, long size, IReadOnlyList<BlobSource> sources, Action<FetchProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sources);
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, ChunkGroups.BlobSizeMax);
        using PartialBlob? blob = await _store.OpenPartialAsync(hash, size, cancellationToken).ConfigureAwait(false);
        if (blob is null)
            return;
        await blob.ResumeAsync(cancellationToken).ConfigureAwait(false);
        long resumed = blob.PresentBytes;
        progress?.Invoke(new FetchProgress(resumed, resumed, ""));

        var failures = new List<SourceFailure>();
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ChunkGroups.GroupLength);
        try
        {
            foreach (BlobSource source in sources)
            {
                if (blob.PresentBytes == size)
                    break;
                void Report() => progress?.Invoke(new FetchProgress(blob.PresentBytes, resumed, source.Name));
                if (await FetchFromAsync(blob, source, buffer, Report, cancellationToken).ConfigureAwait(false) is { } failure)
                    failures.Add(failure);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        if (blob.PresentBytes != size)
            throw BlobFetchException.From(hash, failures);
        blob.Finish();
    }

    /// <summary>Fetches a small blob of unknown size into memory, checked.</summary>
    /// <param name="hash">The blob.</param>
    /// <param name="sizeMax">The most bytes to take, at most a group.</param>
    /// <param name="sources">Whom to ask, best first.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="BlobFetchException">No source is left; the subclasses say why.</exception>
    public async Task<byte[]> FetchSmallAsync(
        BlobHash hash, int sizeMax, IReadOnlyList<BlobSource> sources, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sources);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(sizeMax, ChunkGroups.GroupLength);
        var failures = new List<SourceFailure>();
        foreach (BlobSource source in sources)
        {
            // One byte more than may come shows that too much does.
            var bytes = new byte[sizeMax + 1];
            int count = 0;
            try
            {
                await foreach (ReadOnlyMemory<byte> piece in
                    Watched(token => source.ReadRange(hash, 0, 0, token), cancellationToken).ConfigureAwait(false))
                {
                    int take = Math.Min(piece.Length, bytes.Length - count);
                    piece[..take].CopyTo(bytes.AsMemory(count));
                    count += take;
                    if (count > sizeMax)
                        throw new BlobSourceException(SourceFailureKind.WrongSize, $"it sent more than {sizeMax} bytes");
                }

                if (BlobHash.Of(bytes.AsSpan(0, count)) == hash)
                    return bytes[..count];
                failures.Add(new SourceFailure(source.Name, SourceFailureKind.CorruptChunk, 0, ""));
            }
            catch (Exception e)
            {
                // What a reader throws when it is cancelled may be of any type.
                cancellationToken.ThrowIfCancellationRequested();
                failures.Add(Failure(source, count, e));
            }
        }
        throw BlobFetchException.From(hash, failures);
    }

    // Null when nothing is missing any more.
    private async Task<SourceFailure?> FetchFromAsync(
        PartialBlob blob, BlobSource source, byte[] buffer, Action report, CancellationToken cancellationToken)
    {
        var reading = new Reading();
        try
        {
            if (!blob.HasGroupList)
                await FetchGroupListAsync(blob, source, cancellationToken).ConfigureAwait(false);
            for (int first = NextMissing(blob, 0); first < blob.GroupCount; first = NextMissing(blob, first))
            {
                int end = first + 1;
                while (end < blob.GroupCount && !blob.IsPresent(end))
                    end++;
                await FetchRunAsync(blob, source, first, end, buffer, reading, report, cancellationToken).ConfigureAwait(false);
            }
            return null;
        }
        catch (Exception e) when (e is not StoreFullException and not StoreWriteException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return Failure(source, reading.Offset, e);
        }
    }

    private async Task FetchGroupListAsync(PartialBlob blob, BlobSource source, CancellationToken cancellationToken)
    {
        var list = new byte[blob.GroupCount * BlobHash.Length];
        int count = 0;
        await foreach (ReadOnlyMemory<byte> piece in
            Watched(token => source.ReadGroupList(blob.Hash, blob.Size, token), cancellationToken).ConfigureAwait(false))
        {
            if (piece.Length > list.Length - count)
                throw new BlobSourceException(SourceFailureKind.WrongGroupList, "it is too long");
            piece.CopyTo(list.AsMemory(count));
            count += piece.Length;
        }

        bool isRight;
        try
        {
            isRight = count == list.Length && blob.TrySetGroupList(list);
        }
        catch (IOException e)
        {
            throw new StoreWriteException(blob.Hash, e);
        }
        if (!isRight)
            throw new BlobSourceException(SourceFailureKind.WrongGroupList, "it does not combine to the blob's hash");
    }

    // Groups [first, end), none of which is here.
    private async Task FetchRunAsync(
        PartialBlob blob, BlobSource source, int first, int end, byte[] buffer, Reading reading, Action report,
        CancellationToken cancellationToken)
    {
        long offset = ChunkGroups.OffsetOf(first);
        long length = ChunkGroups.OffsetOf(end - 1) + ChunkGroups.LengthAt(blob.Size, end - 1) - offset;
        int group = first;
        int filled = 0;
        reading.Offset = offset;
        await foreach (ReadOnlyMemory<byte> received in
            Watched(token => source.ReadRange(blob.Hash, offset, length, token), cancellationToken).ConfigureAwait(false))
        {
            ReadOnlyMemory<byte> piece = received;
            while (!piece.IsEmpty)
            {
                if (group == end)
                    throw new BlobSourceException(SourceFailureKind.WrongSize, "it sent more than it was asked for");
                int groupLength = ChunkGroups.LengthAt(blob.Size, group);
                int take = Math.Min(piece.Length, groupLength - filled);
                piece[..take].CopyTo(buffer.AsMemory(filled));
                piece = piece[take..];
                filled += take;
                reading.Offset += take;
                if (filled < groupLength)
                    continue;
                await TakeGroupAsync(blob, group, buffer.AsMemory(0, groupLength), reading, cancellationToken).ConfigureAwait(false);
                report();
                group++;
                filled = 0;
            }
        }
        if (group != end)
            throw new BlobSourceException(SourceFailureKind.Truncated, "");
    }

    private static async Task TakeGroupAsync(
        PartialBlob blob, int index, ReadOnlyMemory<byte> group, Reading reading, CancellationToken cancellationToken)
    {
        if (!blob.Matches(index, group.Span))
        {
            reading.Offset = ChunkGroups.OffsetOf(index);
            throw new BlobSourceException(SourceFailureKind.CorruptChunk, "");
        }

        try
        {
            await blob.WriteAsync(index, group, cancellationToken).ConfigureAwait(false);
        }
        catch (IOException e)
        {
            throw new StoreWriteException(blob.Hash, e);
        }
    }

    // The pieces of a source, none of which may take longer than the stall timeout.
    private async IAsyncEnumerable<ReadOnlyMemory<byte>> Watched(
        Func<CancellationToken, IAsyncEnumerable<ReadOnlyMemory<byte>>> read,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stall = new CancellationTokenSource(_stallTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stall.Token, cancellationToken);
        await using IAsyncEnumerator<ReadOnlyMemory<byte>> pieces = read(either.Token).GetAsyncEnumerator(either.Token);
        while (true)
        {
            try
            {
                if (!await pieces.MoveNextAsync().ConfigureAwait(false))
                    yield break;
            }
            catch (Exception e) when (stall.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                throw new BlobSourceException(SourceFailureKind.Stalled, "", e);
            }
            stall.CancelAfter(Timeout.InfiniteTimeSpan);
            yield return pieces.Current;
            stall.CancelAfter(_stallTimeout);
        }
    }

    private static int NextMissing(PartialBlob blob, int from)
    {
        while (from < blob.GroupCount && blob.IsPresent(from))
            from++;
        return from;
    }

    private static SourceFailure Failure(BlobSource source, long offset, Exception e) => e is BlobSourceException known
        ? new SourceFailure(source.Name, known.Kind, offset, known.Message)
        : new SourceFailure(source.Name, SourceFailureKind.Unreachable, offset, e.Message);

    // How far a source has come, for the message about its failure.
    private sealed class Reading
    {
        public long Offset { get; set; }
    }
}

/// <summary>How far the fetch of a blob is.</summary>
/// <param name="PresentBytes">Bytes that are here and checked.</param>
/// <param name="ResumedBytes">Bytes among them that were here at the beginning.</param>
/// <param name="Source">The name of the source that sends; empty before the first.</param>
public readonly record struct FetchProgress(long PresentBytes, long ResumedBytes, string Source);

/// <summary>This node's own disk failed while a blob was written, for another reason than want of room.</summary>
public sealed class StoreWriteException : ImageException
{
    internal StoreWriteException(BlobHash hash, Exception inner)
        : base($"blob {hash} could not be written: {inner.Message}", inner)
    {
    }
}
