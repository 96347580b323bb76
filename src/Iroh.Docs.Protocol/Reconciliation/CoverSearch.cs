namespace Iroh.Docs.Reconciliation;

/// <summary>Looks for what stands in the way of a new entry.</summary>
public static class CoverSearch
{
    /// <summary>
    /// The present entry that covers <paramref name="entry"/> (<see cref="EntryRules.Covers"/>), the one with the longest key if there are several;
    /// null if none does. Takes as many look-ups as there are entries with other prefixes of the key, not one for each prefix.
    /// </summary>
    public static SignedEntry? Find(IEntrySet entries, SignedEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entries);
        ArgumentNullException.ThrowIfNull(entry);
        RecordKey? bound = entry.Key;
        while (bound is not null && entries.FindLast(bound) is { } candidate)
        {
            // The last name up to these bytes either is a prefix or shows how short the next possible one has to be.
            int common = bound.Span.CommonPrefixLength(candidate.Key.Span);
            if (common < candidate.Key.Span.Length)
            {
                bound = Shorten(bound, common);
                continue;
            }

            if (candidate.Record.CompareTo(entry.Record) >= 0)
                return candidate;
            bound = Shorten(bound, common - 1);
        }

        return null;
    }

    private static RecordKey? Shorten(RecordKey key, int length) =>
        RecordKey.TryFromBytes(key.Span[..length], out RecordKey? shorter) ? shorter : null;
}
