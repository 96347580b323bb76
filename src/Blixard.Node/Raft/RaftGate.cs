using Blixard.Cluster.Membership;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Services;
using Blixard.Rpc.Sockets;
using Blixard.V1;
using Iroh.Base;

namespace Blixard.Node.Raft;

/// <summary>The end of other servers' tunnels: connects them to this node's etcd. Thread-safe.</summary>
/// <param name="directory">Says who is a server.</param>
/// <param name="peerSocketPath">Where etcd hears its peers; null while it has no socket.</param>
internal sealed class RaftGate(MemberDirectory directory, Func<string?> peerSocketPath)
{
    /// <summary>Connects a tunnel.</summary>
    /// <exception cref="RpcException">NOT_FOUND: another target than <see cref="RaftSockets.Target"/>. PERMISSION_DENIED: the caller is no
    /// server. UNAVAILABLE: etcd does not run.</exception>
    public async ValueTask<Stream> ConnectAsync(string target, RpcContext context, CancellationToken cancellationToken)
    {
        if (target != RaftSockets.Target)
            throw new RpcException(RpcStatusCode.NotFound, $"there is no '{target}' here to which a tunnel could lead");
        if (context.Peer.EndpointId is not { } bytes || !EndpointId.TryFromBytes(bytes.Span, out EndpointId id)
            || !directory.TryGet(id, out Member? member) || member.Node.Role != NodeRole.Server)
        {
            throw new RpcException(RpcStatusCode.PermissionDenied, "only servers of this cluster take part in its Raft");
        }

        string path = peerSocketPath() ?? throw new RpcException(RpcStatusCode.Unavailable, "etcd does not run here at the moment");
        return await UnixSocketAddress.ConnectAsync(path, cancellationToken).ConfigureAwait(false);
    }
}
