namespace Blixard.Rpc.Services;

/// <summary>Decides before each call whether the caller may do it: by <see cref="RpcContext.Peer"/> and
/// <see cref="RpcContext.Method"/>. Called by many threads. An exception counts as a fault of this node (INTERNAL), not as leave.</summary>
public delegate ValueTask<RpcDecision> RpcAuthorizer(RpcContext context);

/// <summary>What an <see cref="RpcAuthorizer"/> decided.</summary>
/// <param name="IsAllowed">Whether the call goes on.</param>
/// <param name="Reason">When not: why, for the caller (PERMISSION_DENIED).</param>
public readonly record struct RpcDecision(bool IsAllowed, string Reason)
{
    /// <summary>The call goes on.</summary>
    public static RpcDecision Allow => new(true, "");

    /// <summary>The call ends with PERMISSION_DENIED and this reason.</summary>
    public static RpcDecision Deny(string reason) => new(false, reason);
}
