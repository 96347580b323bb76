using Iroh.Blobs;

namespace Iroh.Docs.Reconciliation;

/// <summary>A replica of a test: an entry set and the contents that it says to have.</summary>
internal sealed class MemoryReplica(IEnumerable<SignedEntry> entries, ContentStatus status = ContentStatus.Missing) : IReconciledReplica
{
    private readonly EntrySet _set = Fill(entries);

    public RecordKey? FirstKey => _set.FirstKey;

    public long Count => _set.Count;

    public IReadOnlyList<SignedEntry> All => _set.All;

    /// <summary>What an observer compares: names and records, without signatures.</summary>
    public IEnumerable<(RecordKey, EntryRecord)> State => _set.All.Select(entry => (entry.Key, entry.Record));

    public SignedEntry? Find(RecordKey key) => _set.Find(key);

    public SignedEntry? FindLast(RecordKey key) => _set.FindLast(key);

    public RangeSummary Summarize(RecordRange range) => _set.Summarize(range);

    public IEnumerable<SignedEntry> Entries(RecordRange range) => _set.Entries(range);

    public RecordKey? KeyAt(RecordRange range, long position) => _set.KeyAt(range, position);

    public ContentStatus StatusOf(BlobHash content) => status;

    public bool Insert(SignedEntry entry) => _set.TryInsert(entry, out _);

    public IReadOnlyList<ReceivedEntry> Insert(IReadOnlyList<ReceivedEntry> entries) => [.. entries.Where(entry => _set.TryInsert(entry.Entry, out _))];

    private static EntrySet Fill(IEnumerable<SignedEntry> entries)
    {
        var set = new EntrySet();
        foreach (SignedEntry entry in entries)
            set.TryInsert(entry, out _);
        return set;
    }
}
