using Iroh.Blobs.Bao;
using Iroh.Blobs.Store.Entries;

namespace Iroh.Blobs.Store.Collection;

/// <summary>Finds the blobs that nothing keeps, and removes them while others come and go.</summary>
/// <remarks>
/// A collection takes a number; whatever is written, held or tagged afterwards is marked with it and left alone. Then it reads the hash
/// sequences that are kept, one level deep, as upstream does. Each blob is removed under the lock that counts users and roots, if nothing
/// keeps it at that moment; and if a hash sequence came to be kept since they were read, they are read again first.
/// </remarks>
internal sealed class GarbageCollector(BlobStore store) : IDisposable
{
    /// <summary>Blobs that are removed at once, so that they share a flush of the index; as upstream.</summary>
    private const int BatchLength = 100;

    /// <summary>Bytes of a hash sequence that are read at once.</summary>
    private const int BufferLength = 4 * BaoTree.GroupLength;

    private readonly SemaphoreSlim _turn = new(1, 1);

    public async Task<GarbageReport> RunAsync(
        Func<CancellationToken, ValueTask<IReadOnlySet<BlobHash>>>? alsoLive, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            long epoch = store.Table.BeginCollection();
            IReadOnlySet<BlobHash> live = alsoLive is null
                ? new HashSet<BlobHash>()
                : await alsoLive(cancellationToken).ConfigureAwait(false);
            using var sweep = new Sweep(store, epoch);
            await sweep.MarkAsync(cancellationToken).ConfigureAwait(false);
            foreach (Entry[] batch in store.Table.Here.Where(entry => !live.Contains(entry.Hash)).Chunk(BatchLength))
            {
                cancellationToken.ThrowIfCancellationRequested();
                await Task.WhenAll(batch.Select(entry => sweep.RemoveAsync(entry, cancellationToken))).ConfigureAwait(false);
            }

            return new GarbageReport(sweep.Removed, sweep.Freed, store.Table.Here.Count);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Removes one blob, if nothing uses it or keeps it.</summary>
    public async Task<bool> RemoveAsync(BlobHash hash)
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            if (store.Table.TryGet(hash) is not { } entry)
                return false;
            using var sweep = new Sweep(store, null);
            await sweep.MarkAsync(CancellationToken.None).ConfigureAwait(false);
            await sweep.RemoveAsync(entry, CancellationToken.None).ConfigureAwait(false);
            return sweep.Removed > 0;
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();

    private sealed class Sweep(BlobStore store, long? epoch) : IDisposable
    {
        private readonly SemaphoreSlim _marking = new(1, 1);
        private volatile Marks _marks = new([], -1);
        private int _removed;
        private long _freed;

        public int Removed => _removed;

        public long Freed => _freed;

        public void Dispose() => _marking.Dispose();

        public async Task MarkAsync(CancellationToken cancellationToken)
        {
            // The version first: what is kept after it was read is noticed.
            long version = store.Table.SequencesVersion;
            var children = new HashSet<BlobHash>();
            foreach (BlobHash sequence in store.Table.Sequences)
                await ReadChildrenAsync(sequence, children, cancellationToken).ConfigureAwait(false);
            _marks = new Marks(children, version);
        }

        public async Task RemoveAsync(Entry entry, CancellationToken cancellationToken)
        {
            while (true)
            {
                // Marked with no gate held, since it opens blobs.
                Marks marks = _marks;
                if (marks.Children.Contains(entry.Hash) || !await TryRemoveAsync(entry, marks, cancellationToken).ConfigureAwait(false))
                    return;
                await MarkAgainAsync(marks, cancellationToken).ConfigureAwait(false);
            }
        }

        // Returns whether the marks are too old to tell.
        private async Task<bool> TryRemoveAsync(Entry entry, Marks marks, CancellationToken cancellationToken)
        {
            await entry.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                if (!store.Table.TryRemove(entry, epoch, marks.Version, out RemovedBlob removed, out bool isStale))
                    return isStale;
                try
                {
                    store.SetCharge(entry, 0);
                    if (removed.Stored is { } stored)
                        await store.Backend.RemoveAsync(entry.Hash, stored).ConfigureAwait(false);
                    else if (removed.Size > BlobStoreOptions.InlineBytesMax)
                        store.Backend.RemovePartial(entry.Hash);
                }
                catch when (removed.Stored is not null)
                {
                    // The row is there still, and with it the blob.
                    store.BecomeComplete(entry, removed.Stored);
                    throw;
                }
                finally
                {
                    store.Table.Release(entry);
                }

                Interlocked.Increment(ref _removed);
                Interlocked.Add(ref _freed, removed.PresentBytes);
                return false;
            }
            finally
            {
                entry.Gate.Release();
            }
        }

        private async Task MarkAgainAsync(Marks old, CancellationToken cancellationToken)
        {
            await _marking.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                if (_marks == old)
                    await MarkAsync(cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                _marking.Release();
            }
        }

        // What is here of it; where a part is missing its children cannot be known.
        private async Task ReadChildrenAsync(BlobHash sequence, HashSet<BlobHash> children, CancellationToken cancellationToken)
        {
            using IBlobContent? content = store.TryOpen(sequence);
            if (content is null)
                return;
            var buffer = new byte[BufferLength];
            for (long offset = 0; offset < content.Size;)
            {
                int read = await content.ReadGroupsAsync(offset, buffer, cancellationToken).ConfigureAwait(false);
                for (int i = 0; i + BlobHash.Length <= read; i += BlobHash.Length)
                    children.Add(new BlobHash(buffer.AsSpan(i, BlobHash.Length)));
                offset += read > 0 ? read : BaoTree.GroupLength;
            }
        }

        /// <param name="Children">What kept hash sequences list.</param>
        /// <param name="Version">The <see cref="EntryTable.SequencesVersion"/> for which that is so.</param>
        private sealed record Marks(HashSet<BlobHash> Children, long Version);
    }
}
