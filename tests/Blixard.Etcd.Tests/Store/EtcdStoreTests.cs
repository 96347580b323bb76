using Blixard.Cluster.Store;
using Blixard.Etcd.Tests.Support;
using Blixard.Testing.Store;

namespace Blixard.Etcd.Tests.Store;

/// <summary>What every engine must do, by etcd.</summary>
public sealed class EtcdStoreTests : ClusterStoreSuite
{
    protected override async Task<IClusterStore> CreateAsync() => await OwnEtcdStore.StartAsync();
}
