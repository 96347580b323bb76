using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Blixard.Cluster.Membership;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Identity;
using Blixard.Rpc.Peers;
using Iroh.Base;
using Microsoft.Extensions.Logging;

namespace Blixard.Node.Peers;

/// <summary>The other nodes: members, and before they are known the servers of the last time. Thread-safe.</summary>
internal sealed class PeerTable(
    Func<NodeCertificateSource?> certificate, TimeProvider time, RpcMetrics metrics, ILogger<PeerChannel> logger) : IDisposable
{
    private readonly ConcurrentDictionary<EndpointId, Peer> _peers = new();

    /// <summary>The peer with an id, made if it is not there, with its gRPC address as it is now.</summary>
    public Peer Put(EndpointId id, string name, string grpcAddress)
    {
        Peer peer = _peers.GetOrAdd(
            id, static (key, state) => new Peer(key, state.name, state.certificate, state.time, state.metrics, state.logger),
            (name, certificate, time, metrics, logger));
        peer.Grpc.SetAddress(grpcAddress);
        return peer;
    }

    public bool TryGet(EndpointId id, [NotNullWhen(true)] out Peer? peer) => _peers.TryGetValue(id, out peer);

    /// <summary>All peers, in no order.</summary>
    public IEnumerable<Peer> All => _peers.Values;

    /// <summary>Follows the list of members.</summary>
    public void OnMembers(MembersUpdate update, EndpointId? self)
    {
        foreach (MemberChange change in update.Changes)
        {
            if (change.Id == self)
                continue;
            if (change.Kind != MemberChangeKind.Removed)
                Put(change.Id, change.Member.Node.Name, change.Member.Node.GrpcAddress);
            else if (_peers.TryRemove(change.Id, out Peer? gone))
                gone.Dispose();
        }
    }

    /// <summary>The node with a name, to be called.</summary>
    /// <exception cref="RpcException">UNAVAILABLE: nobody with this name is known.</exception>
    public IRpcCaller CallerOf(string name) => _peers.Values.FirstOrDefault(peer => peer.Name == name)?.Channel
        ?? throw new RpcException(RpcStatusCode.Unavailable, $"the node '{name}' is not known here");

    public void Dispose()
    {
        foreach (Peer peer in _peers.Values)
            peer.Dispose();
    }
}
