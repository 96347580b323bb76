using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Blixard.Cluster.Membership;
using Blixard.Cluster.Tokens;
using Blixard.Node.Membership;
using Blixard.Node.Storage;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Services;
using Blixard.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Iroh.Base;
using EndpointAddress = Iroh.Base.EndpointAddress;

namespace Blixard.Node.Services;

/// <summary>The handlers of <c>blixard.v1.Cluster</c>, the same on every node: they work on the store wherever it is.</summary>
internal sealed class ClusterService(
    NodeSelf self, NodeCluster cluster, StatusReport status, Entrance entrance, Departure departure, Func<string> engine, TimeProvider time)
{
    private const int PingPayloadMax = 1024;

    // Steps of the member list that wait for a slow reader; each is small, and a reader that slow begins again.
    private const int WatchBacklogMax = 256;

    public RpcService Bind() => new RpcService(ClusterReflection.Descriptor, "Cluster")
        .Unary(ClusterMethods.Join, (request, context) => Failures.ExplainAsync(JoinAsync(request, context)))
        .Unary(ClusterMethods.Leave, (request, context) => Failures.ExplainAsync(LeaveAsync(request, context)))
        .Unary(ClusterMethods.UpdateNode, (request, context) => Failures.ExplainAsync(UpdateAsync(request, context)))
        .Unary(ClusterMethods.Status, (_, context) => status.MakeAsync(context.CancellationToken))
        .Unary(ClusterMethods.Ping, Ping)
        .Unary(ClusterMethods.CreateToken, (request, context) => Failures.ExplainAsync(CreateTokenAsync(request, context)))
        .ServerStreaming(ClusterMethods.WatchMembers, (_, context) => WatchAsync(context.CancellationToken));

    private async Task<JoinResponse> JoinAsync(JoinRequest request, RpcContext context)
    {
        if (request.Node is null)
            throw new RpcException(RpcStatusCode.InvalidArgument, "the request says nothing about the node");
        // A node speaks for itself only: its key is proven by the connection.
        if (context.Peer.Transport != RpcTransport.Local && !context.Peer.Is(request.Node.EndpointId.Span))
            throw new RpcException(RpcStatusCode.PermissionDenied, "the endpoint id is not the caller's own");
        return await entrance.AdmitAsync(request, context.CancellationToken).ConfigureAwait(false);
    }

    private async Task<LeaveResponse> LeaveAsync(LeaveRequest request, RpcContext context)
    {
        ReadOnlyMemory<byte> bytes = request.Name.Length > 0 ? await FindAsync(request.Name, context.CancellationToken).ConfigureAwait(false)
            : request.EndpointId.Length > 0 ? request.EndpointId.Memory
            : context.Peer.Transport == RpcTransport.Local ? (self.Id ?? throw NoIdentity()).Span.ToArray()
            : context.Peer.EndpointId ?? throw NoIdentity();
        if (!EndpointId.TryFromBytes(bytes.Span, out EndpointId id))
            throw new RpcException(RpcStatusCode.InvalidArgument, "the endpoint id is not valid");
        // Before: who has left is not answered by the store any more.
        bool isShared = await cluster.Catalogues.IsSharedAsync(time.GetUtcNow(), context.CancellationToken).ConfigureAwait(false);
        return new LeaveResponse
        {
            Revision = await departure.RemoveAsync(id, request.Force, context.CancellationToken).ConfigureAwait(false),
            CatalogueShared = isShared,
        };
    }

    private async Task<ReadOnlyMemory<byte>> FindAsync(string name, CancellationToken cancellationToken)
    {
        MemberList list = await cluster.Members.ListAsync(cancellationToken).ConfigureAwait(false);
        return list.Members.FirstOrDefault(member => member.Node.Name == name)?.Node.EndpointId.Memory
            ?? throw new RpcException(RpcStatusCode.NotFound, $"no member of this cluster is called {name}");
    }

    private async Task<UpdateNodeResponse> UpdateAsync(UpdateNodeRequest request, RpcContext context)
    {
        if (request.Node is null || !context.Peer.Is(request.Node.EndpointId.Span))
            throw new RpcException(RpcStatusCode.PermissionDenied, "a node changes its own record only");
        Member member = await cluster.Members.UpdateAsync(request.Node, request.P2PNodeAddr, context.CancellationToken).ConfigureAwait(false);
        return new UpdateNodeResponse { Member = member };
    }

    private Task<PingResponse> Ping(PingRequest request, RpcContext context) => request.Payload.Length <= PingPayloadMax
        ? Task.FromResult(new PingResponse { Payload = request.Payload, Name = self.Name, Now = Timestamp.FromDateTimeOffset(time.GetUtcNow()) })
        : throw new RpcException(RpcStatusCode.InvalidArgument, $"a ping has at most {PingPayloadMax} bytes");

    private async Task<CreateTokenResponse> CreateTokenAsync(CreateTokenRequest request, RpcContext context)
    {
        if (request.Role == NodeRole.Server && engine() == StoreEngine.Sqlite)
            throw new RpcException(RpcStatusCode.FailedPrecondition, Entrance.OneServerOnly);
        MemberList members = await cluster.Members.ListAsync(context.CancellationToken).ConfigureAwait(false);
        TicketServer[] servers = [.. ServersForTicket(members.Members).Take(JoinTicket.ServersMax)];
        if (servers.Length == 0)
            throw new RpcException(RpcStatusCode.FailedPrecondition, "No server of the cluster is known yet; a node without a readable key cannot let others join.");
        string clusterId = await cluster.Members.GetClusterIdAsync(context.CancellationToken).ConfigureAwait(false) ?? "";
        JoinToken token = await cluster.Tokens.CreateAsync(
            request.Role, request.Ttl?.ToTimeSpan(), request.UsesMax == 0 ? 1 : (int)Math.Min(request.UsesMax, int.MaxValue), context.CancellationToken)
            .ConfigureAwait(false);
        return new CreateTokenResponse
        {
            Ticket = new JoinTicket(clusterId, servers, token.Secret).ToString(),
            Expires = Timestamp.FromDateTimeOffset(token.Expires),
        };
    }

    // This node first, if it is a server: it runs. Then those that can be reached from here, then the others.
    private IEnumerable<TicketServer> ServersForTicket(IEnumerable<Member> members) => members.Where(member => member.Node.Role == NodeRole.Server)
        .Select(member => (Member: member, Id: EndpointId.FromBytes(member.Node.EndpointId.Span)))
        .OrderBy(server => server.Id == self.Id ? 0 : status.StateOf(server.Id) == NodeState.Ready ? 1 : 2)
        .ThenBy(server => server.Member.Node.Name, StringComparer.Ordinal)
        .Select(server => new TicketServer(AddressOf(server.Member), server.Member.Node.GrpcAddress));

    private static EndpointAddress AddressOf(Member member) =>
        member.P2PNodeAddr is { } message && MemberAddress.TryRead(message, out EndpointAddress? address, out _)
            ? address
            : EndpointAddress.FromEndpointId(EndpointId.FromBytes(member.Node.EndpointId.Span));

    private async IAsyncEnumerable<WatchMembersResponse> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var steps = Channel.CreateBounded<MembersUpdate>(WatchBacklogMax);
        using IDisposable subscription = cluster.Directory.Subscribe(update =>
        {
            if (!steps.Writer.TryWrite(update))
                steps.Writer.TryComplete(new RpcException(RpcStatusCode.ResourceExhausted, "the watcher is too slow; watch again"));
        });
        await foreach (MembersUpdate update in steps.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            var response = new WatchMembersResponse { Revision = update.Revision, Snapshot = update.IsSnapshot };
            response.Members.AddRange(update.Changes.Where(change => change.Kind != MemberChangeKind.Removed).Select(change => change.Member));
            response.Removed.AddRange(update.Changes.Where(change => change.Kind == MemberChangeKind.Removed).Select(change => ByteString.CopyFrom(change.Id.Span)));
            yield return response;
        }
    }

    private static RpcException NoIdentity() =>
        new(RpcStatusCode.FailedPrecondition, "This node does not know who it is, because its key cannot be read.");
}
