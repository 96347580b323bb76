using Blixard.Cluster.Store;
using Blixard.Etcd.Store;
using Blixard.Etcd.Tests.Support;
using Blixard.Testing.Store;

namespace Blixard.Etcd.Tests.Store;

/// <summary>What every engine must do, by a real etcd for each store.</summary>
public sealed class EtcdStoreTests : ClusterStoreSuite, IAsyncDisposable
{
    private readonly List<EtcdCluster> _started = [];

    public async ValueTask DisposeAsync()
    {
        foreach (EtcdCluster etcd in _started)
            await etcd.DisposeAsync();
    }

    protected override async Task<IClusterStore> CreateAsync()
    {
        EtcdCluster etcd = await EtcdCluster.StartAsync();
        _started.Add(etcd);
        return etcd.Store();
    }

    protected override async Task ForgetHistoryAsync(IClusterStore store)
    {
        for (int i = 0; i < 300; i++)
            await PutAsync(store, "k", $"{i}");
        Assert.True(await new EtcdCompactor(_started[^1].Client(), TimeProvider.System, historyRevisionsMax: 100, step: 50).CompactAsync(Cancel));
    }
}
