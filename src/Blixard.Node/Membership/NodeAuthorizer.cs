using Blixard.Cluster.Membership;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Services;

namespace Blixard.Node.Membership;

/// <summary>Who may call what on this node: the rules for members, and that workers show the cluster store only to their own user.</summary>
internal sealed class NodeAuthorizer(MemberDirectory directory, bool isStoreServed)
{
    private readonly MemberAuthorizer _members = new(directory.IsMemberAsync);

    /// <summary>Decides about one call; an <see cref="RpcAuthorizer"/>.</summary>
    public ValueTask<RpcDecision> AuthorizeAsync(RpcContext context) =>
        !isStoreServed && context.Peer.Transport != RpcTransport.Local && context.Method.Service == StoreMethods.Get.Service
            ? ValueTask.FromResult(RpcDecision.Deny("this node is a worker and keeps no part of the cluster store; ask a server"))
            : _members.AuthorizeAsync(context);
}
