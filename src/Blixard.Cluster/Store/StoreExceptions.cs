namespace Blixard.Cluster.Store;

/// <summary>The store cannot answer now: its disk is full or broken, or no server can be reached. Trying again may help.</summary>
public sealed class StoreUnavailableException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>A watch asked for revisions that are no longer kept.</summary>
public sealed class StoreCompactedException(long oldestRevision)
    : Exception($"Revisions before {oldestRevision} are no longer kept. Read the keys again and watch from there.")
{
    /// <summary>The oldest revision that can still be watched.</summary>
    public long OldestRevision { get; } = oldestRevision;
}
