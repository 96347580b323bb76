namespace Blixard.Cluster.Store;

/// <summary>The store cannot answer now: its disk is full or broken, it has no quorum, or no server can be reached. Trying again
/// may help.</summary>
public sealed class StoreUnavailableException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>
    /// True if the call surely had and will have no effect, because it was not sent or not accepted. False if that is not known:
    /// a transaction may have happened, or may happen yet.
    /// </summary>
    public bool HadNoEffect { get; init; }
}

/// <summary>A watch asked for revisions that are no longer kept.</summary>
public sealed class StoreCompactedException(long oldestRevision)
    : Exception($"Revisions before {oldestRevision} are no longer kept. Read the keys again and watch from there.")
{
    /// <summary>The oldest revision that can still be watched.</summary>
    public long OldestRevision { get; } = oldestRevision;
}

/// <summary>A put named a lease that is gone; its transaction did nothing.</summary>
public sealed class StoreLeaseNotFoundException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>For a lease that is known by its number.</summary>
    public StoreLeaseNotFoundException(long lease)
        : this($"The lease {lease} is gone. Grant a new one and put its keys again.")
    {
    }
}
