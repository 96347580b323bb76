using Iroh.Blobs.Store.Backends;
using Iroh.Blobs.Store.Tags;

namespace Iroh.Blobs.Store.Entries;

/// <summary>
/// The entries of a store, who uses them, and what keeps them. Everything that decides whether a blob may go is asked and changed under one
/// lock, which is never held over input or output. Thread-safe.
/// </summary>
internal sealed class EntryTable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<BlobHash, Entry> _entries = [];
    private readonly Roots _roots = new();
    private long _epoch = 1;

    public EntryTable()
    {
        // The empty blob is always here.
        var empty = new Entry(BlobHash.Empty);
        empty.BecomeComplete(new StoredBlob(0, ContentPlace.Inline, OutboardPlace.None, null));
        _entries.Add(empty.Hash, empty);
    }

    /// <summary>See <see cref="Roots.SequencesVersion"/>.</summary>
    public long SequencesVersion
    {
        get
        {
            lock (_lock)
                return _roots.SequencesVersion;
        }
    }

    /// <summary>Tags and holds of hash sequences.</summary>
    public IReadOnlyList<BlobHash> Sequences
    {
        get
        {
            lock (_lock)
                return _roots.Sequences;
        }
    }

    /// <summary>Those of which something is here, ordered, but for the empty one.</summary>
    public IReadOnlyList<Entry> Here
    {
        get
        {
            lock (_lock)
                return [.. _entries.Values.Where(static entry => entry.Presence != BlobPresence.Absent && entry.Hash != BlobHash.Empty).OrderBy(static entry => entry.Hash)];
        }
    }

    public Entry? TryGet(BlobHash hash)
    {
        lock (_lock)
            return _entries.GetValueOrDefault(hash);
    }

    /// <summary>The entry of a hash, kept from collection until it is released; made if there is none.</summary>
    public Entry Use(BlobHash hash, bool asWriter = false)
    {
        lock (_lock)
        {
            Entry entry = GetOrAdd(hash);
            entry.Users++;
            if (asWriter)
                entry.Writers++;
            entry.Epoch = _epoch;
            return entry;
        }
    }

    /// <summary>The same, if something is here of it.</summary>
    public Entry? TryUse(BlobHash hash)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(hash, out Entry? entry) || entry.Presence == BlobPresence.Absent)
                return null;
            entry.Users++;
            return entry;
        }
    }

    /// <summary>Ends a use.</summary>
    public void Release(Entry entry)
    {
        lock (_lock)
        {
            entry.Users--;
            ForgetIfIdle(entry);
        }
    }

    /// <summary>Makes a writer a mere user.</summary>
    /// <returns>Whether it was the last.</returns>
    public bool EndWriting(Entry entry)
    {
        lock (_lock)
        {
            entry.Epoch = _epoch;
            return --entry.Writers == 0;
        }
    }

    public bool HasWriters(Entry entry)
    {
        lock (_lock)
            return entry.Writers > 0;
    }

    public Entry Observe(BlobHash hash)
    {
        lock (_lock)
        {
            Entry entry = GetOrAdd(hash);
            entry.Observers++;
            return entry;
        }
    }

    public void EndObserving(Entry entry)
    {
        lock (_lock)
        {
            entry.Observers--;
            ForgetIfIdle(entry);
        }
    }

    /// <summary>Says that a blob was completed just now.</summary>
    public void NoteComplete(Entry entry)
    {
        lock (_lock)
        {
            entry.Epoch = _epoch;
            _roots.NoteComplete(entry.Hash);
        }
    }

    public TempTag Hold(HashAndFormat content, long? size = null)
    {
        lock (_lock)
        {
            _roots.Hold(content);
            Touch(content.Hash);
            long known = size ?? (_entries.TryGetValue(content.Hash, out Entry? entry) ? entry.Status.Size ?? 0 : 0);
            return new TempTag(content, known, LetGo);
        }
    }

    public void SetTag(string name, HashAndFormat? content)
    {
        lock (_lock)
        {
            _roots.Set(name, content);
            if (content is { } kept)
                Touch(kept.Hash);
        }
    }

    public HashAndFormat? TryGetTag(string name)
    {
        lock (_lock)
            return _roots.TryGet(name);
    }

    public IReadOnlyList<BlobTag> ListTags(string prefix)
    {
        lock (_lock)
            return _roots.List(prefix);
    }

    /// <summary>Begins a collection: what is touched from now on is not removed by it.</summary>
    /// <returns>Its number.</returns>
    public long BeginCollection()
    {
        lock (_lock)
            return ++_epoch;
    }

    /// <summary>Makes an entry absent, under its gate, if nothing uses or keeps it; what is on the disk is then the caller's to
    /// remove, who releases the entry afterwards.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="epoch">The collection; null if it is removed on demand.</param>
    /// <param name="sequencesVersion">The version for which the caller knows that no hash sequence lists the blob; null if it does not matter.
    /// </param>
    /// <param name="removed">What it was.</param>
    /// <param name="isStale">Whether that version is past, so that the caller must look again.</param>
    public bool TryRemove(Entry entry, long? epoch, long? sequencesVersion, out RemovedBlob removed, out bool isStale)
    {
        lock (_lock)
        {
            isStale = sequencesVersion is { } version && version != _roots.SequencesVersion;
            removed = new RemovedBlob(entry.Presence, entry.Stored, entry.PresentBytes, entry.Size);
            if (isStale || entry.Presence == BlobPresence.Absent || entry.Hash == BlobHash.Empty || entry.Users > 0 || entry.Epoch >= epoch
                || _roots.Keeps(entry.Hash))
                return false;
            entry.BecomeAbsent();
            entry.Users++; // so that it stays the only entry of its hash until its files are gone
            return true;
        }
    }

    private void LetGo(HashAndFormat content)
    {
        lock (_lock)
            _roots.LetGo(content);
    }

    private void Touch(BlobHash hash)
    {
        if (_entries.TryGetValue(hash, out Entry? entry))
            entry.Epoch = _epoch;
    }

    private Entry GetOrAdd(BlobHash hash)
    {
        if (!_entries.TryGetValue(hash, out Entry? entry))
            _entries.Add(hash, entry = new Entry(hash));
        return entry;
    }

    private void ForgetIfIdle(Entry entry)
    {
        if (entry is { Users: 0, Observers: 0, Presence: BlobPresence.Absent })
            _entries.Remove(entry.Hash);
    }
}

/// <summary>What a removed blob was.</summary>
internal readonly record struct RemovedBlob(BlobPresence Presence, StoredBlob? Stored, long PresentBytes, ulong Size);
