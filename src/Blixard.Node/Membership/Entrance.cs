using Blixard.Cluster.Membership;
using Blixard.Etcd.Process;
using Blixard.Node.Raft;
using Blixard.Node.Storage;
using Blixard.Rpc.Calls;
using Blixard.V1;
using Iroh.Base;

namespace Blixard.Node.Membership;

/// <summary>Lets nodes into the cluster. Every step can be repeated: a node that was killed on the way asks again, and as its key proves
/// that it is in, it needs no good token for that.</summary>
/// <param name="cluster">The records.</param>
/// <param name="raft">This node's part in Raft; null if it has none.</param>
/// <param name="reports">What the servers say of theirs.</param>
/// <param name="departure">Takes out who is replaced.</param>
/// <param name="engine">The cluster's engine as this node knows it.</param>
internal sealed class Entrance(NodeCluster cluster, RaftHost? raft, RaftReports reports, Departure departure, Func<string> engine)
{
    // Shorter than a joining node waits for an answer: it hears what is waited for, and asks again.
    private static readonly TimeSpan RaftPatience = TimeSpan.FromSeconds(12);

    /// <summary>What people read where the engine takes no further servers.</summary>
    public const string OneServerOnly =
        "This cluster keeps its state in SQLite on its one server, so only workers can join. 'blixard store migrate --to etcd' on that server lets it have more.";

    /// <summary>Lets a node in whose key has been proven.</summary>
    /// <exception cref="MembershipException">The token, the name or what the node says of itself is refused.</exception>
    /// <exception cref="RpcException">UNAVAILABLE: Raft takes no new member at the moment. FAILED_PRECONDITION: the engine, or the server to
    /// be replaced, does not allow it.</exception>
    public async Task<JoinResponse> AdmitAsync(JoinRequest request, CancellationToken cancellationToken)
    {
        if (!EndpointId.TryFromBytes(request.Node.EndpointId.Span, out EndpointId id))
            throw new RpcException(RpcStatusCode.InvalidArgument, "the node's endpoint id is not valid");
        // Who wants to be a server says so: it has to be taken into Raft as well.
        if (request.Node.Role == NodeRole.Unspecified)
            request.Node.Role = NodeRole.Worker;
        bool isServer = request.Node.Role == NodeRole.Server;
        Member? before = await cluster.Members.TryGetAsync(id, cancellationToken).ConfigureAwait(false);
        bool isMember = before is not null && before.Node.Name == request.Node.Name
            && before.Node.Role == request.Node.Role;
        if (isServer)
        {
            RequireRaft();
            if (!isMember)
                await cluster.Members.CheckTokenAsync(request.Token.Memory, NodeRole.Server, cancellationToken).ConfigureAwait(false);
            if (request.Replace.Length > 0)
                await ReplaceAsync(request, id, isMember, cancellationToken).ConfigureAwait(false);
        }

        Admission admission = isMember
            ? await cluster.Members.ReadmitAsync(request.Node, request.P2PNodeAddr, cancellationToken).ConfigureAwait(false)
            : await cluster.Members.JoinAsync(request.Token.Memory, request.Node, request.P2PNodeAddr, cancellationToken).ConfigureAwait(false);
        var response = new JoinResponse { ClusterId = admission.ClusterId, Store = new StoreJoin { Engine = engine() }, Revision = admission.Revision };
        response.Members.AddRange(admission.Members);
        response.Store.Servers.AddRange(admission.Members.Where(member => member.Node.Role == NodeRole.Server)
            .Select(member => new StoreEndpoint { EndpointId = member.Node.EndpointId, GrpcAddress = member.Node.GrpcAddress }));
        if (isServer)
        {
            Func<EndpointId, bool> isAlive = RaftReports.Alive(await reports.CollectAsync(cancellationToken).ConfigureAwait(false));
            EtcdStart.Join start = await raft!.Members.AdmitAsync(id, isAlive, progress: null, RaftPatience, cancellationToken).ConfigureAwait(false);
            response.Store.RaftToken = start.Token;
            response.Store.RaftMembers.AddRange(start.Members.Select(member => Google.Protobuf.ByteString.CopyFrom(member.Span)));
        }

        return response;
    }

    private void RequireRaft()
    {
        if (raft is not null)
            return;
        if (engine() == StoreEngine.Sqlite)
            throw new RpcException(RpcStatusCode.FailedPrecondition, OneServerOnly);
        string servers = string.Join(", ", cluster.Directory.Current.Values.Where(member => member.Node.Role == NodeRole.Server)
            .Select(member => $"{member.Node.Name} at {member.Node.GrpcAddress}").Order(StringComparer.Ordinal));
        throw new RpcException(RpcStatusCode.FailedPrecondition, $"A worker cannot let servers in. Ask one of the servers: {servers}.");
    }

    private async Task ReplaceAsync(JoinRequest request, EndpointId newcomer, bool isMember, CancellationToken cancellationToken)
    {
        string name = request.Replace;
        MemberList list = await cluster.Members.ListAsync(cancellationToken).ConfigureAwait(false);
        Member? replaced = list.Members.FirstOrDefault(member => member.Node.Name == name);
        // The newcomer under the same name, or gone and the newcomer in: an attempt before this one came as far as that.
        if (replaced is null ? isMember : replaced.Node.EndpointId.Span.SequenceEqual(newcomer.Span))
            return;
        if (replaced is null)
        {
            string servers = string.Join(", ", list.Members.Where(member => member.Node.Role == NodeRole.Server).Select(member => member.Node.Name).Order(StringComparer.Ordinal));
            throw new RpcException(
                RpcStatusCode.FailedPrecondition,
                $"No member of this cluster is called {name}; its servers are {servers}. If {name} has been taken out already, join without --replace.");
        }

        if (replaced.Node.Role != NodeRole.Server)
            throw new RpcException(RpcStatusCode.FailedPrecondition, $"{name} is a worker; only servers are replaced.");
        await departure.RemoveDeadServerAsync(replaced, keepsVms: request.Node.Name == name, cancellationToken).ConfigureAwait(false);
    }
}
