namespace Blixard.Cluster.Store;

/// <summary>
/// The cluster's state: an ordered map of keys to values with one revision number that every write transaction moves up by
/// one. Thread-safe. Keys are 1 to <see cref="StoreLimits.KeyBytesMax"/> bytes of UTF-8 and ordered by those bytes.
/// Every method may throw <see cref="StoreUnavailableException"/>; it then may be tried again.
/// </summary>
public interface IClusterStore : IAsyncDisposable
{
    /// <summary>One key, null if it is absent.</summary>
    ValueTask<StoreEntry?> GetAsync(string key, CancellationToken cancellationToken = default);

    /// <summary>All keys that begin with <paramref name="prefix"/> (all keys for ""), in order, as of one revision.</summary>
    ValueTask<StoreRange> RangeAsync(string prefix, CancellationToken cancellationToken = default);

    /// <summary>Checks every comparison and then does every operation, as one step that either happens durably or not at all.</summary>
    /// <exception cref="ArgumentException">A limit of <see cref="StoreLimits"/> is exceeded, or a key is written twice.</exception>
    ValueTask<StoreCommit> TransactAsync(StoreTransaction transaction, CancellationToken cancellationToken = default);

    /// <summary>
    /// The changes under <paramref name="prefix"/> from revision <paramref name="fromRevision"/> on, each revision once and in
    /// order, without end. To miss nothing, read with <see cref="RangeAsync"/> and watch from its revision + 1.
    /// </summary>
    /// <exception cref="StoreCompactedException">Revisions that were asked for are no longer kept.</exception>
    IAsyncEnumerable<StoreChanges> WatchAsync(string prefix, long fromRevision, CancellationToken cancellationToken = default);
}

/// <summary>What the store accepts. The numbers are those of etcd's defaults, so that both engines refuse the same.</summary>
public static class StoreLimits
{
    /// <summary>The longest key, in bytes of UTF-8.</summary>
    public const int KeyBytesMax = 1024;

    /// <summary>The longest value, in bytes. Records are small; content belongs into blobs.</summary>
    public const int ValueBytesMax = 1024 * 1024;

    /// <summary>The most comparisons, and the most operations, of one transaction.</summary>
    public const int TransactionItemsMax = 128;

    /// <summary>The most bytes of all keys and values of one transaction: 1.5 MiB. It passes in one message, as do its changes.</summary>
    public const int TransactionBytesMax = 3 * 1024 * 1024 / 2;
}
