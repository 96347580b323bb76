using System.Runtime.CompilerServices;
using Iroh.Blobs.Bao;
using Iroh.Blobs.Store.Backends;
using Iroh.Blobs.Store.Checks;
using Iroh.Blobs.Store.Collection;
using Iroh.Blobs.Store.Contents;
using Iroh.Blobs.Store.Entries;
using Iroh.Blobs.Store.Imports;
using Iroh.Blobs.Store.Tags;
using Iroh.Blobs.Store.Writing;

namespace Iroh.Blobs.Store;

/// <summary>What all blob stores have in common; they differ in where they keep things. See <see cref="IBlobStore"/>.</summary>
public abstract class BlobStore : IBlobStore
{
    private readonly SemaphoreSlim _tagTurn = new(1, 1);
    private readonly GarbageCollector _collector;
    private bool _disposed;

    /// <summary>Takes up what an earlier owner left.</summary>
    private protected BlobStore(IBlobBackend backend, BlobStoreOptions options)
    {
        Backend = backend;
        Options = options;
        Space = new Space(options.BytesMax);
        Partials = new PartialBlobs(this);
        _collector = new GarbageCollector(this);
        try
        {
            Load();
        }
        catch
        {
            backend.Dispose();
            throw;
        }
    }

    internal IBlobBackend Backend { get; }

    internal BlobStoreOptions Options { get; }

    internal EntryTable Table { get; } = new();

    internal Space Space { get; }

    internal PartialBlobs Partials { get; }

    /// <summary>Bytes that blobs take, as the quota counts them.</summary>
    public long UsedBytes => Space.Taken;

    /// <inheritdoc/>
    public BlobStatus GetStatus(BlobHash hash) => Table.TryGet(hash)?.Status ?? default;

    /// <inheritdoc/>
    public IReadOnlyList<BlobEntry> List() => [.. Table.Here.Select(static entry => new BlobEntry(entry.Hash, entry.Status))];

    /// <inheritdoc/>
    public async ValueTask<TempTag> AddBytesAsync(
        ReadOnlyMemory<byte> content, BlobFormat format = BlobFormat.Raw, CancellationToken cancellationToken = default)
    {
        ThrowIfDisposed();
        cancellationToken.ThrowIfCancellationRequested();
        if (content.Length <= BlobStoreOptions.InlineBytesMax)
            return await Import.AddSmallAsync(this, content, format).ConfigureAwait(false);
        await using var stream = new Import.MemorySource(content);
        return await Import.AddStreamAsync(this, stream, content.Length, format, null, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task<TempTag> AddFileAsync(
        string path, ImportMode mode = ImportMode.Copy, BlobFormat format = BlobFormat.Raw, Action<long>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ThrowIfDisposed();
        ArgumentNullException.ThrowIfNull(path);
        if (!Path.IsPathFullyQualified(path))
            throw new ArgumentException($"{path} is not an absolute path", nameof(path));
        return Import.AddFileAsync(this, path, mode, format, progress, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<TempTag> AddStreamAsync(
        Stream content, BlobFormat format = BlobFormat.Raw, Action<long>? progress = null, CancellationToken cancellationToken = default)
    {
        ThrowIfDisposed();
        ArgumentNullException.ThrowIfNull(content);
        return Import.AddStreamAsync(this, content, null, format, progress, cancellationToken);
    }

    /// <inheritdoc/>
    public IBlobContent? TryOpen(BlobHash hash)
    {
        ThrowIfDisposed();
        return BlobContent.TryOpen(this, hash);
    }

    /// <inheritdoc/>
    public IBlobWriter OpenWriter(BlobHash hash)
    {
        ThrowIfDisposed();
        return new BlobWriter(this, Table.Use(hash, asWriter: true));
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<BlobBitfield> ObserveAsync(
        BlobHash hash, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        Entry entry = Table.Observe(hash);
        try
        {
            BlobBitfield? last = null;
            while (true)
            {
                Task changed = entry.Changed;
                BlobBitfield now = entry.Bitfield;
                if (now != last)
                    yield return last = now;
                if (now.IsComplete)
                    yield break;
                await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            Table.EndObserving(entry);
        }
    }

    /// <inheritdoc/>
    public Task ExportAsync(
        BlobHash hash, string path, ExportMode mode = ExportMode.Copy, Action<long>? progress = null, CancellationToken cancellationToken = default)
    {
        ThrowIfDisposed();
        ArgumentNullException.ThrowIfNull(path);
        if (!Path.IsPathFullyQualified(path))
            throw new ArgumentException($"{path} is not an absolute path", nameof(path));
        return Export.RunAsync(this, hash, path, mode, progress, cancellationToken);
    }

    /// <inheritdoc/>
    public TempTag Hold(HashAndFormat content) => Table.Hold(content);

    /// <inheritdoc/>
    public void SetTag(string name, HashAndFormat content)
    {
        TagNames.Check(name);
        ChangeTags(() => [(name, content)]);
    }

    /// <inheritdoc/>
    public string CreateTag(HashAndFormat content)
    {
        string name = "";
        ChangeTags(() =>
        {
            name = TagNames.Automatic(Options.TimeProvider.GetUtcNow(), taken => Table.TryGetTag(taken) is not null);
            return [(name, content)];
        });
        return name;
    }

    /// <inheritdoc/>
    public bool DeleteTag(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return ChangeTags(() => Table.TryGetTag(name) is null ? [] : [(name, null)]);
    }

    /// <inheritdoc/>
    public bool RenameTag(string from, string to)
    {
        ArgumentNullException.ThrowIfNull(from);
        TagNames.Check(to);
        return ChangeTags(() => Table.TryGetTag(from) is not { } content ? [] : from == to ? [(to, content)] : [(to, content), (from, null)]);
    }

    /// <inheritdoc/>
    public BlobTag? TryGetTag(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return Table.TryGetTag(name) is { } content ? new BlobTag(name, content) : null;
    }

    /// <inheritdoc/>
    public IReadOnlyList<BlobTag> ListTags(string prefix = "")
    {
        ArgumentNullException.ThrowIfNull(prefix);
        return Table.ListTags(prefix);
    }

    /// <inheritdoc/>
    public bool Delete(BlobHash hash)
    {
        ThrowIfDisposed();
        return _collector.RemoveAsync(hash).GetAwaiter().GetResult();
    }

    /// <inheritdoc/>
    public Task<GarbageReport> CollectGarbageAsync(
        Func<CancellationToken, ValueTask<IReadOnlySet<BlobHash>>>? alsoLive = null, CancellationToken cancellationToken = default)
    {
        ThrowIfDisposed();
        return _collector.RunAsync(alsoLive, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<CheckReport> CheckAsync(bool repair, IProgress<CheckProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ThrowIfDisposed();
        return new StoreCheck(this, repair, progress).RunAsync(cancellationToken);
    }

    /// <summary>Closes the store, after the contents and writers that were opened.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        foreach (Entry entry in Table.Here)
            await entry.Checkpoint.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Backend.Dispose();
        _tagTurn.Dispose();
        _collector.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Counts an entry anew.</summary>
    internal void SetCharge(Entry entry, long charge)
    {
        lock (entry.Lock)
        {
            Space.Count(charge - entry.Charged);
            entry.Charged = charge;
        }
    }

    /// <summary>Says that a blob is complete, wherever it came from. Under its gate.</summary>
    internal void BecomeComplete(Entry entry, StoredBlob blob)
    {
        entry.BecomeComplete(blob);
        SetCharge(entry, blob.Charge);
        Table.NoteComplete(entry);
    }

    /// <summary>Says that nothing is here of a blob any more. Under its gate.</summary>
    internal void BecomeAbsent(Entry entry)
    {
        entry.BecomeAbsent();
        SetCharge(entry, 0);
    }

    /// <summary>Ends the use of open files, which need not be the entry's any more.</summary>
    internal void LetGo(Entry entry, OpenBlob files)
    {
        lock (entry.Lock)
        {
            if (--files.Users > 0)
                return;
            if (entry.Files == files)
            {
                // What is here of a small blob is in memory alone.
                if (entry.Presence == BlobPresence.Partial && entry.Size <= BlobStoreOptions.InlineBytesMax)
                    BecomeAbsent(entry);
                entry.Files = null;
            }
        }

        files.Close();
    }

    /// <summary>
    /// Gives up what turned out wrong, so that it can be fetched again: groups, if the blob has files of its own, else the blob.
    /// </summary>
    /// <param name="entry">The blob.</param>
    /// <param name="files">Where it was read.</param>
    /// <param name="wrong">The chunks.</param>
    internal async Task GiveUpAsync(Entry entry, OpenBlob files, Ranges.ChunkRanges wrong)
    {
        await entry.Gate.WaitAsync().ConfigureAwait(false);
        try
        {
            if (entry.Files != files)
                return; // it was replaced meanwhile
            if (entry is { Presence: BlobPresence.Complete, Stored: { } stored })
            {
                var rest = new ChunkSet(Ranges.ChunkRanges.FromChunks(0, BaoTree.ChunkCount(entry.Size)).Except(wrong));
                if (!rest.IsEmpty && await Backend.DemoteAsync(entry.Hash, stored, files, rest.ToRanges()).ConfigureAwait(false))
                {
                    lock (entry.Lock)
                        entry.Files = null; // open for reading alone
                    entry.BecomePartial(entry.Size, rest, isRecordedClean: true);
                    SetCharge(entry, entry.PresentBytes);
                    return;
                }

                if (rest.IsEmpty)
                    await Backend.RemoveAsync(entry.Hash, stored).ConfigureAwait(false);
                BecomeAbsent(entry);
            }
            else if (entry.Presence == BlobPresence.Partial)
            {
                Partials.TakeOut(entry, wrong);
            }
        }
        finally
        {
            entry.Gate.Release();
        }
    }

    private void Load()
    {
        foreach ((BlobHash hash, StoredBlob blob) in Backend.LoadBlobs())
        {
            Entry entry = Table.Use(hash);
            entry.BecomeComplete(blob);
            SetCharge(entry, blob.Charge);
            Table.Release(entry);
        }

        foreach (BlobTag tag in Backend.LoadTags())
            Table.SetTag(tag.Name, tag.Content);
        foreach (StoredPartial partial in Backend.LoadPartials())
            Partials.TakeUp(partial);
    }

    private void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_disposed, this);

    // One at a time, so that the order in the index is the order here.
    private bool ChangeTags(Func<(string Name, HashAndFormat? Content)[]> decide)
    {
        ThrowIfDisposed();
        _tagTurn.Wait();
        try
        {
            (string Name, HashAndFormat? Content)[] changes = decide();
            if (changes.Length == 0)
                return false;

            // What a tag will keep is held while it is written: a collection must not come between.
            TempTag[] holds = [.. changes.Where(static change => change.Content is not null).Select(change => Table.Hold(change.Content!.Value))];
            try
            {
                Backend.WriteTags(changes);
                foreach ((string name, HashAndFormat? content) in changes)
                    Table.SetTag(name, content);
            }
            finally
            {
                foreach (TempTag hold in holds)
                    hold.Dispose();
            }

            return true;
        }
        finally
        {
            _tagTurn.Release();
        }
    }
}
