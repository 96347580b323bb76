using System.Collections.Immutable;
using Blixard.Cluster.Membership;
using Blixard.Cluster.Store;
using Blixard.Node.Peers;
using Blixard.Rpc.Calls;
using Blixard.V1;
using Iroh.Base;

namespace Blixard.Node.Membership;

/// <summary>The ways to the cluster store: this node's own engine, if it has one, and the Store service of every other server. They
/// follow the list of members. Thread-safe.</summary>
internal sealed class ServerStores : IAsyncDisposable
{
    private readonly NodeSelf _self;
    private readonly PeerTable _peers;
    private readonly TimeProvider _time;
    private readonly IClusterStore? _own;
    private readonly Lock _changing = new();
    private ImmutableSortedDictionary<EndpointId, RemoteStore> _remote = ImmutableSortedDictionary<EndpointId, RemoteStore>.Empty;

    /// <summary>The ways as of the members that are known from the last run.</summary>
    /// <param name="self">This node.</param>
    /// <param name="peers">Calls the servers.</param>
    /// <param name="own">This node's own engine; null on a worker. It stays the caller's.</param>
    /// <param name="known">The members as known last.</param>
    /// <param name="time">The clock of delays.</param>
    public ServerStores(NodeSelf self, PeerTable peers, IClusterStore? own, IEnumerable<Member> known, TimeProvider time)
    {
        (_self, _peers, _own, _time) = (self, peers, own, time);
        foreach (Member member in known)
            Put(EndpointId.FromBytes(member.Node.EndpointId.Span), member);
    }

    /// <summary>The ways by preference: the own engine, then servers that can be reached now, then the others. Nodes begin with
    /// different servers, so that these share the work.</summary>
    public IReadOnlyList<IClusterStore> ByPreference()
    {
        KeyValuePair<EndpointId, RemoteStore>[] others =
        [
            .. Volatile.Read(ref _remote).Where(pair => pair.Key != _self.Id)
                .OrderBy(pair => IsReached(pair.Key) ? 0 : 1)
                .ThenBy(pair => pair.Key.CompareTo(_self.Id ?? default) < 0 ? 1 : 0),
        ];
        IEnumerable<IClusterStore> stores = others.Select(pair => pair.Value);
        return [.. _own is { } own ? stores.Prepend(own) : stores];
    }

    /// <summary>Follows the list of members; to be called after <see cref="PeerTable.OnMembers"/>.</summary>
    public void OnMembers(MembersUpdate update)
    {
        foreach (MemberChange change in update.Changes)
        {
            if (change.Kind == MemberChangeKind.Removed)
                Remove(change.Id);
            else
                Put(change.Id, change.Member);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (RemoteStore store in Volatile.Read(ref _remote).Values)
            await store.DisposeAsync().ConfigureAwait(false);
    }

    private void Put(EndpointId id, Member member)
    {
        if (member.Node.Role != NodeRole.Server || id == _self.Id)
            return;
        Peer peer = _peers.Put(id, member.Node.Name, member.Node.GrpcAddress);
        lock (_changing)
        {
            if (!_remote.ContainsKey(id))
                Volatile.Write(ref _remote, _remote.Add(id, new RemoteStore(peer.Channel, member.Node.Name, _time)));
        }
    }

    private void Remove(EndpointId id)
    {
        lock (_changing)
        {
            // Its watches end with the link; whoever still waits for an answer gets one that the server has gone.
            if (_remote.TryGetValue(id, out RemoteStore? _))
                Volatile.Write(ref _remote, _remote.Remove(id));
        }
    }

    private bool IsReached(EndpointId id) =>
        _peers.TryGet(id, out Peer? peer) && (peer.Channel.Current == RpcTransport.P2p || peer.Grpc.Status.State == GrpcState.Reachable);
}
