namespace Iroh.Docs.Reconciliation;

/// <summary>
/// The entries of one document in memory, held to the rule that none covers another (<see cref="EntryRules.Covers"/>). Not thread-safe.
/// </summary>
public sealed class EntrySet : IEntrySet
{
    private readonly List<SignedEntry> _entries = [];

    /// <inheritdoc/>
    public RecordKey? FirstKey => _entries.Count == 0 ? null : _entries[0].Key;

    /// <inheritdoc/>
    public long Count => _entries.Count;

    /// <summary>All entries in the order of their names.</summary>
    public IReadOnlyList<SignedEntry> All => _entries;

    /// <inheritdoc/>
    public SignedEntry? Find(RecordKey key)
    {
        int index = LowerBound(key.Span);
        return index < _entries.Count && _entries[index].Key == key ? _entries[index] : null;
    }

    /// <inheritdoc/>
    public SignedEntry? FindLast(RecordKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        int index = LowerBound(key.Span);
        if (index == _entries.Count || _entries[index].Key != key)
            index--;
        return index >= 0 && _entries[index].Key.Span[..RecordKey.PrefixLength].SequenceEqual(key.Span[..RecordKey.PrefixLength])
            ? _entries[index]
            : null;
    }

    /// <summary>Stores an entry unless one that is here covers it, and removes those that it covers.</summary>
    /// <param name="entry">An entry of this document.</param>
    /// <param name="removed">Number of entries that it removed; an older one with the same name counts.</param>
    /// <returns>False if the entry is covered; then nothing has changed.</returns>
    public bool TryInsert(SignedEntry entry, out int removed)
    {
        ArgumentNullException.ThrowIfNull(entry);
        removed = 0;
        if (CoverSearch.Find(this, entry) is not null)
            return false;
        int start = LowerBound(entry.Key.Span);
        int end = start;
        while (end < _entries.Count && entry.Key.IsPrefixOf(_entries[end].Key))
            end++;
        removed = RemoveCovered(entry, start, end);
        _entries.Insert(start, entry);
        return true;
    }

    /// <inheritdoc/>
    public RangeSummary Summarize(RecordRange range)
    {
        RangeSummary summary = RangeSummary.Empty;
        foreach ((int start, int end) in Spans(range))
        {
            for (int i = start; i < end; i++)
                summary = summary.With(_entries[i].Fingerprint);
        }

        return summary;
    }

    /// <inheritdoc/>
    public IEnumerable<SignedEntry> Entries(RecordRange range)
    {
        foreach ((int start, int end) in Spans(range))
        {
            for (int i = start; i < end; i++)
                yield return _entries[i];
        }
    }

    /// <inheritdoc/>
    public RecordKey? KeyAt(RecordRange range, long position)
    {
        foreach ((int start, int end) in Spans(range))
        {
            if (position < end - start)
                return _entries[start + (int)position].Key;
            position -= end - start;
        }

        return null;
    }

    private int RemoveCovered(SignedEntry entry, int start, int end)
    {
        int kept = start;
        for (int i = start; i < end; i++)
        {
            if (_entries[i].Record.CompareTo(entry.Record) > 0)
                _entries[kept++] = _entries[i];
        }

        _entries.RemoveRange(kept, end - kept);
        return end - kept;
    }

    private (int Start, int End)[] Spans(RecordRange range)
    {
        if (range.IsAll)
            return [(0, _entries.Count)];
        int from = LowerBound(range.From.Span), to = LowerBound(range.To.Span);
        return range.Wraps ? [(0, to), (from, _entries.Count)] : [(from, to)];
    }

    /// <summary>The place of the first name that is not less.</summary>
    private int LowerBound(ReadOnlySpan<byte> name)
    {
        int low = 0, high = _entries.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_entries[middle].Key.Span.SequenceCompareTo(name) < 0)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}
