namespace Blixard.Cluster.Store;

/// <summary>Reads of the cluster's state. Whether they may be stale is said where the reader comes from. Thread-safe.</summary>
public interface IStoreReader
{
    /// <summary>One key, null if it is absent.</summary>
    /// <exception cref="ArgumentException">The key is empty or exceeds <see cref="StoreLimits.KeyBytesMax"/>.</exception>
    /// <exception cref="StoreUnavailableException">The store cannot answer now.</exception>
    ValueTask<StoreEntry?> GetAsync(string key, CancellationToken cancellationToken = default);

    /// <summary>All keys that begin with <paramref name="prefix"/> (all keys for ""), in order, as of one revision.</summary>
    /// <exception cref="StoreUnavailableException">The store cannot answer now.</exception>
    ValueTask<StoreRange> RangeAsync(string prefix, CancellationToken cancellationToken = default);
}
