using Blixard.Cluster.Membership;
using Blixard.Cluster.Store;
using Blixard.Node.Peers;
using Blixard.V1;
using Iroh.Cryptography;

namespace Blixard.Node.Membership;

/// <summary>The cluster store as this node reaches it: in its own engine, in another server's, or in both by turns.</summary>
internal sealed class NodeStore : IAsyncDisposable
{
    private readonly ServerStores? _servers;

    private NodeStore(IClusterStore store, IClusterStore? own, ServerStores? servers)
    {
        (Store, Own, _servers) = (store, own, servers);
    }

    /// <summary>What this node reads and writes.</summary>
    public IClusterStore Store { get; }

    /// <summary>This node's own engine, which serves the nodes that ask it; null on a worker.</summary>
    public IClusterStore? Own { get; }

    /// <summary>Whether the node's own engine is the cluster's only one, so that it can be asked at any time.</summary>
    public bool IsOnlyHere => _servers is null;

    /// <summary>The store in a file of this node, which is the cluster's only server.</summary>
    /// <exception cref="StoreUnavailableException">The file cannot be used.</exception>
    public static NodeStore OpenSqlite(string path, TimeProvider time)
    {
        SqliteStore own = SqliteStore.Open(path, time, OperatingSystemRandomSource.Instance);
        return new NodeStore(own, own, null);
    }

    /// <summary>The store of the servers; with an own engine that one first.</summary>
    /// <param name="self">This node.</param>
    /// <param name="peers">Calls the servers.</param>
    /// <param name="own">The own engine, which stays the caller's; null on a worker.</param>
    /// <param name="known">The members as known last.</param>
    /// <param name="time">The clock.</param>
    public static NodeStore OpenShared(NodeSelf self, PeerTable peers, IClusterStore? own, IEnumerable<Member> known, TimeProvider time)
    {
        var servers = new ServerStores(self, peers, own, known, time);
        return new NodeStore(new FailoverStore(servers.ByPreference, time, OperatingSystemRandomSource.Instance), own, servers);
    }

    /// <summary>Follows the list of members; to be called after <see cref="PeerTable.OnMembers"/>.</summary>
    public void OnMembers(MembersUpdate update) => _servers?.OnMembers(update);

    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync().ConfigureAwait(false);
        if (_servers is not null)
            await _servers.DisposeAsync().ConfigureAwait(false);
    }
}
