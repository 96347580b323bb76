namespace Iroh.Docs.Reconciliation;

/// <summary>The entries of one document, deletions included, in the order of their names. Ranges select among these and nothing else.</summary>
public interface IEntrySet
{
    /// <summary>The first name, or null if there are no entries.</summary>
    RecordKey? FirstKey { get; }

    /// <summary>Number of all entries.</summary>
    long Count { get; }

    /// <summary>The entry with exactly this name.</summary>
    SignedEntry? Find(RecordKey key);

    /// <summary>The last entry of an author whose name is <paramref name="key"/> or comes before it; null if the author has none.</summary>
    SignedEntry? FindLast(RecordKey key);

    /// <summary>Counts a range and combines its fingerprints.</summary>
    RangeSummary Summarize(RecordRange range);

    /// <summary>The entries of a range in its order (<see cref="RecordRange"/>), read as they are asked for.</summary>
    IEnumerable<SignedEntry> Entries(RecordRange range);

    /// <summary>The name at a place of a range, in its order; null if the range has fewer entries by now.</summary>
    /// <param name="range">The range.</param>
    /// <param name="position">0 to the range's count - 1.</param>
    RecordKey? KeyAt(RecordRange range, long position);
}
