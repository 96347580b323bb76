namespace Iroh.Docs;

/// <summary>Which index a query walks, and so the order of its results.</summary>
public enum QueryOrder
{
    /// <summary>By author, then key.</summary>
    AuthorThenKey,

    /// <summary>By key, then author.</summary>
    KeyThenAuthor,
}

/// <summary>Which entries of a document are wanted, and in which order. Immutable.</summary>
public sealed record DocumentQuery
{
    /// <summary>All entries that are not deletions, by author and key.</summary>
    public static DocumentQuery All { get; } = new();

    /// <summary>Only this author's; null for everybody's.</summary>
    public AuthorId? Author { get; init; }

    /// <summary>Only these keys; null for all.</summary>
    public KeyFilter? Key { get; init; }

    /// <summary>The order. With <see cref="LatestPerKey"/> it is always by key.</summary>
    public QueryOrder Order { get; init; } = QueryOrder.AuthorThenKey;

    /// <summary>From the last to the first.</summary>
    public bool Descending { get; init; }

    /// <summary>
    /// Per key only the entry with the greatest timestamp among the authors that are asked for; of equal ones the first in the order. Deletions take
    /// part: where the newest entry is one, the key has no result unless <see cref="IncludeEmpty"/>.
    /// </summary>
    public bool LatestPerKey { get; init; }

    /// <summary>Deletions are results, too.</summary>
    public bool IncludeEmpty { get; init; }

    /// <summary>This many results are passed over; not negative.</summary>
    public long Offset { get; init; }

    /// <summary>At most this many results; null for all, otherwise not negative.</summary>
    public long? Limit { get; init; }

    /// <summary>The order in which <see cref="Select"/> wants the candidates.</summary>
    public QueryOrder CandidateOrder => LatestPerKey ? QueryOrder.KeyThenAuthor : Order;

    /// <summary>Picks the results, one by one as they are asked for.</summary>
    /// <param name="candidates">
    /// Entries of one document in <see cref="CandidateOrder"/>, from the last to the first if <see cref="Descending"/>. Those that the filters
    /// exclude may be among them or not.
    /// </param>
    public IEnumerable<SignedEntry> Select(IEnumerable<SignedEntry> candidates)
    {
        ArgumentNullException.ThrowIfNull(candidates);
        ArgumentOutOfRangeException.ThrowIfNegative(Offset, nameof(Offset));
        ArgumentOutOfRangeException.ThrowIfNegative(Limit ?? 0, nameof(Limit));
        IEnumerable<SignedEntry> matching = candidates.Where(Matches);
        if (LatestPerKey)
            matching = LatestOfEachKey(matching);
        return Page(matching.Where(entry => IncludeEmpty || !entry.IsEmpty));
    }

    /// <summary>Whether author and key are asked for.</summary>
    public bool Matches(SignedEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return (Author is null || entry.Key.Author == Author) && (Key is null || Key.Matches(entry.Key.Key.Span));
    }

    private static IEnumerable<SignedEntry> LatestOfEachKey(IEnumerable<SignedEntry> byKey)
    {
        SignedEntry? latest = null;
        foreach (SignedEntry entry in byKey)
        {
            if (latest is not null && !entry.Key.Key.Span.SequenceEqual(latest.Key.Key.Span))
            {
                yield return latest;
                latest = null;
            }

            if (latest is null || entry.Record.Timestamp > latest.Record.Timestamp)
                latest = entry;
        }

        if (latest is not null)
            yield return latest;
    }

    private IEnumerable<SignedEntry> Page(IEnumerable<SignedEntry> results)
    {
        if (Limit == 0)
            yield break;
        long passed = 0, given = 0;
        foreach (SignedEntry entry in results)
        {
            if (passed++ < Offset)
                continue;
            yield return entry;
            if (++given == Limit)
                yield break;
        }
    }
}
