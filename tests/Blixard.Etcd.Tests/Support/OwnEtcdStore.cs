using Blixard.Cluster.Store;
using Blixard.Etcd.Store;

namespace Blixard.Etcd.Tests.Support;

/// <summary>A store with an etcd of its own that goes with it, compacted as it is written.</summary>
internal sealed class OwnEtcdStore : IClusterStore
{
    private const int HistoryRevisionsMax = 500;
    private const int Step = 100;

    private readonly EtcdCluster _etcd;
    private readonly EtcdStore _store;
    private readonly EtcdCompactor _compactor;
    private int _writes;

    private OwnEtcdStore(EtcdCluster etcd)
    {
        _etcd = etcd;
        _store = etcd.Store();
        _compactor = new EtcdCompactor(etcd.Client(), TimeProvider.System, HistoryRevisionsMax, Step);
    }

    public static async Task<OwnEtcdStore> StartAsync() => new(await EtcdCluster.StartAsync());

    public IStoreReader Replica => _store.Replica;

    public ValueTask<StoreEntry?> GetAsync(string key, CancellationToken cancellationToken = default) => _store.GetAsync(key, cancellationToken);

    public ValueTask<StoreRange> RangeAsync(string prefix, CancellationToken cancellationToken = default) => _store.RangeAsync(prefix, cancellationToken);

    public async ValueTask<StoreCommit> TransactAsync(StoreTransaction transaction, CancellationToken cancellationToken = default)
    {
        StoreCommit commit = await _store.TransactAsync(transaction, cancellationToken);
        if (Interlocked.Increment(ref _writes) % Step == 0)
            await _compactor.CompactAsync(cancellationToken);
        return commit;
    }

    public IAsyncEnumerable<StoreChanges> WatchAsync(string prefix, long fromRevision, CancellationToken cancellationToken = default) =>
        _store.WatchAsync(prefix, fromRevision, cancellationToken);

    public ValueTask<StoreLease> GrantLeaseAsync(TimeSpan timeToLive, CancellationToken cancellationToken = default) =>
        _store.GrantLeaseAsync(timeToLive, cancellationToken);

    public ValueTask<TimeSpan?> KeepLeaseAsync(long lease, CancellationToken cancellationToken = default) => _store.KeepLeaseAsync(lease, cancellationToken);

    public ValueTask RevokeLeaseAsync(long lease, CancellationToken cancellationToken = default) => _store.RevokeLeaseAsync(lease, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        await _etcd.DisposeAsync();
    }
}
