namespace Iroh.Docs;

/// <summary>What is wrong with an entry that a peer sent.</summary>
public enum EntryProblem
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>It belongs to another document.</summary>
    WrongDocument,

    /// <summary>Its length is zero with a hash of something, or the other way round.</summary>
    LengthAndHashDisagree,

    /// <summary>Its timestamp is further ahead of our clock than <see cref="EntryRules.ClockAheadMax"/>.</summary>
    TooFarInTheFuture,

    /// <summary>One of its signatures is wrong.</summary>
    BadSignature,
}

/// <summary>Which entries may enter a replica, and which of two entries stands (docs/protocols/docs.md, "Rules").</summary>
public static class EntryRules
{
    /// <summary>How far a peer's clock may be ahead of ours: what iroh-docs 0.100 allows.</summary>
    public static readonly TimeSpan ClockAheadMax = TimeSpan.FromMinutes(10);

    /// <summary>Checks an entry from a peer, whichever way it came; the cheap questions first.</summary>
    public static EntryProblem Check(SignedEntry entry, NamespaceId document, EntryTimestamp now)
    {
        ArgumentNullException.ThrowIfNull(entry);
        if (!entry.Key.IsOf(document))
            return EntryProblem.WrongDocument;
        if (!entry.Record.IsConsistent)
            return EntryProblem.LengthAndHashDisagree;
        if (entry.Record.Timestamp > now.Add(ClockAheadMax))
            return EntryProblem.TooFarInTheFuture;
        return entry.Verify() ? EntryProblem.None : EntryProblem.BadSignature;
    }

    /// <summary>
    /// Whether <paramref name="first"/> makes <paramref name="second"/> superfluous: same author, its key is a prefix of (or equal to) the
    /// other's, and its record is not smaller. A replica is the set of entries that no other entry covers, in whatever order they came.
    /// </summary>
    public static bool Covers(SignedEntry first, SignedEntry second)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        return first.Key.IsPrefixOf(second.Key) && first.Record.CompareTo(second.Record) >= 0;
    }
}
