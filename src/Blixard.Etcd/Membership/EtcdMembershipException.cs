namespace Blixard.Etcd.Membership;

/// <summary>Why the members were not changed.</summary>
public enum EtcdMembershipFailure
{
    /// <summary>The change would leave the cluster without a majority, or without a voter.</summary>
    Refused,

    /// <summary>What the change waited for did not come in time.</summary>
    TimedOut,

    /// <summary>The cluster has a member that is none of ours.</summary>
    UnknownMember,
}

/// <summary>The members of the cluster were not changed. The message says why and what to do.</summary>
public sealed class EtcdMembershipException(EtcdMembershipFailure failure, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>What kind of failure it is.</summary>
    public EtcdMembershipFailure Failure { get; } = failure;
}
