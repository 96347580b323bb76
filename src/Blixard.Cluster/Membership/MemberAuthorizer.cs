using Blixard.Rpc.Calls;
using Blixard.Rpc.Services;
using Iroh.Base;

namespace Blixard.Cluster.Membership;

/// <summary>
/// Who may call what over P2P and gRPC: anybody asks for a node's health, anybody who has proven an id asks to join, and only
/// members do anything else. The node's own socket, which only its user can open, may do everything.
/// </summary>
public sealed class MemberAuthorizer
{
    private readonly Func<EndpointId, CancellationToken, ValueTask<bool>> _isMember;

    /// <summary>Rules over a list of members.</summary>
    /// <param name="isMember">Whether an endpoint is a member now, such as <see cref="MemberDirectory.IsMemberAsync"/>.</param>
    public MemberAuthorizer(Func<EndpointId, CancellationToken, ValueTask<bool>> isMember) => _isMember = isMember;

    /// <summary>Decides about one call; an <see cref="RpcAuthorizer"/>.</summary>
    public async ValueTask<RpcDecision> AuthorizeAsync(RpcContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        RpcPeer peer = context.Peer;
        if (peer.Transport == RpcTransport.Local || context.Method.Service == HealthMethods.Check.Service)
            return RpcDecision.Allow;
        if (peer.EndpointId is not { } bytes || !EndpointId.TryFromBytes(bytes.Span, out EndpointId id))
            return RpcDecision.Deny("the caller has not shown who it is: a member's key is needed");
        if (ReferenceEquals(context.Method, ClusterMethods.Join) || await _isMember(id, context.CancellationToken).ConfigureAwait(false))
            return RpcDecision.Allow;
        return RpcDecision.Deny($"{id.ToShortString()} is no member of this cluster; it may only ask to join");
    }
}
