namespace Blixard.Cluster.Membership;

/// <summary>Why a change of the membership was refused.</summary>
public enum MembershipFailure
{
    /// <summary>The store holds no cluster yet.</summary>
    NoCluster,

    /// <summary>The token is not known.</summary>
    TokenUnknown,

    /// <summary>The token's time is over.</summary>
    TokenExpired,

    /// <summary>The token was used as often as it may.</summary>
    TokenUsedUp,

    /// <summary>The token is for workers, and the node wants to be a server.</summary>
    RoleRefused,

    /// <summary>A member with another id has this name.</summary>
    NameTaken,

    /// <summary>The id is a member already, under another name.</summary>
    OtherName,

    /// <summary>What the node says of itself is not allowed.</summary>
    InvalidNode,

    /// <summary>There is no such member.</summary>
    NotAMember,

    /// <summary>It is the last server: with it the store would be gone.</summary>
    LastServer,

    /// <summary>Others changed the same records again and again; trying once more may help.</summary>
    Busy,
}

/// <summary>A change of the membership was refused; nothing has changed. The message is for people and says what to do.</summary>
public sealed class MembershipException(MembershipFailure failure, string message) : Exception(message)
{
    /// <summary>Why.</summary>
    public MembershipFailure Failure { get; } = failure;
}
