namespace Blixard.Cluster.Store;

/// <summary>
/// The cluster's state: an ordered map of keys to values with one revision number that every write transaction moves up by
/// one. Thread-safe. Keys are 1 to <see cref="StoreLimits.KeyBytesMax"/> bytes of UTF-8 and ordered by those bytes.
/// Every method may throw <see cref="StoreUnavailableException"/>; it then may be tried again.
/// <para>The reads of the store itself are linearizable: they see every transaction that was acknowledged to anybody before the
/// read began. Those of <see cref="Replica"/> may be stale.</para>
/// </summary>
public interface IClusterStore : IStoreReader, IAsyncDisposable
{
    /// <summary>
    /// Reads that may be stale: answered by the nearest replica from what it has, also when the servers have no quorum. What it
    /// answers was true at its revision. The same object as the store itself where reads are never stale.
    /// </summary>
    IStoreReader Replica { get; }

    /// <summary>Checks every comparison and then does every operation, as one step that either happens durably or not at all.</summary>
    /// <exception cref="ArgumentException">A limit of <see cref="StoreLimits"/> is exceeded, or a key is written twice.</exception>
    /// <exception cref="StoreLeaseNotFoundException">The comparisons hold and a put names a lease that is gone; nothing was done.</exception>
    ValueTask<StoreCommit> TransactAsync(StoreTransaction transaction, CancellationToken cancellationToken = default);

    /// <summary>
    /// The changes under <paramref name="prefix"/> from revision <paramref name="fromRevision"/> on, each revision once and in
    /// order, without end. To miss nothing, read with <see cref="IStoreReader.RangeAsync"/> and watch from its revision + 1.
    /// </summary>
    /// <exception cref="StoreCompactedException">Revisions that were asked for are no longer kept.</exception>
    IAsyncEnumerable<StoreChanges> WatchAsync(string prefix, long fromRevision, CancellationToken cancellationToken = default);

    /// <summary>
    /// Grants a lease: it ends when it was not kept for its time to live, and the keys that were last put with it are then
    /// deleted, in one revision. The deadline is measured by the server and never passes too early; it may pass late by about a
    /// second, and by an outage of the servers.
    /// </summary>
    /// <param name="timeToLive">Whole seconds from <see cref="StoreLimits.LeaseMin"/> to <see cref="StoreLimits.LeaseMax"/>.</param>
    /// <param name="cancellationToken">Ends the wait; a lease that was granted nevertheless ends by itself.</param>
    /// <exception cref="ArgumentException">The time to live is not allowed.</exception>
    ValueTask<StoreLease> GrantLeaseAsync(TimeSpan timeToLive, CancellationToken cancellationToken = default);

    /// <summary>Lets a lease live for its whole time to live again.</summary>
    /// <returns>What it lives on from now; null if it is gone, with its keys or soon to be.</returns>
    ValueTask<TimeSpan?> KeepLeaseAsync(long lease, CancellationToken cancellationToken = default);

    /// <summary>Ends a lease now and deletes its keys in one revision. Nothing happens if there is no such lease.</summary>
    ValueTask RevokeLeaseAsync(long lease, CancellationToken cancellationToken = default);
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

    /// <summary>The shortest lease: etcd's own least with its default election time-out of one second.</summary>
    public static readonly TimeSpan LeaseMin = TimeSpan.FromSeconds(2);

    /// <summary>The longest lease: whatever may be gone for longer than an hour needs no lease.</summary>
    public static readonly TimeSpan LeaseMax = TimeSpan.FromHours(1);

    /// <summary>Checks the time to live of a lease.</summary>
    /// <exception cref="ArgumentException">It is too short, too long, or not whole seconds.</exception>
    public static void CheckLease(TimeSpan timeToLive)
    {
        if (timeToLive < LeaseMin || timeToLive > LeaseMax || timeToLive.Ticks % TimeSpan.TicksPerSecond != 0)
            throw new ArgumentException($"A lease lives for {LeaseMin.TotalSeconds} to {LeaseMax.TotalSeconds} whole seconds, not {timeToLive}.", nameof(timeToLive));
    }
}
