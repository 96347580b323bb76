namespace Blixard.Etcd.Client;

/// <summary>Why a call of etcd failed. The comments of those that etcd answers say what it says.</summary>
public enum EtcdErrorKind
{
    /// <summary>Something that has no kind here; the message says it.</summary>
    Other,
    /// <summary>No connection to etcd: it does not run, or its socket is not there.</summary>
    Unreachable,
    /// <summary>The connection broke while the call was under way: what became of it is not known.</summary>
    ConnectionLost,
    /// <summary>No answer in time, or etcd gave up waiting for its peers: what became of the call is not known.</summary>
    TimedOut,
    /// <summary>The member knows no leader: it is cut off from most of the others, or there is an election.</summary>
    NoLeader,
    /// <summary>The leader changed while a read was under way.</summary>
    LeaderChanged,
    /// <summary>Only the leader can do this, and another member leads.</summary>
    NotLeader,
    /// <summary>The member is being stopped.</summary>
    Stopped,
    /// <summary>The member has not yet learnt what its cluster can do: it has just started.</summary>
    NotCapable,
    /// <summary>The member is a learner, which does not answer this.</summary>
    NotSupportedForLearner,
    /// <summary>The members that vote are not all connected for long enough to change the membership.</summary>
    Unhealthy,
    /// <summary>etcd ended the watch.</summary>
    WatchCanceled,
    /// <summary>The revision is no longer kept, or was compacted already.</summary>
    Compacted,
    /// <summary>The revision has yet to come.</summary>
    FutureRevision,
    /// <summary>The database has reached its quota.</summary>
    NoSpace,
    /// <summary>Too many calls wait to be carried out.</summary>
    TooManyRequests,
    /// <summary>The request, or the answer to it, is too large.</summary>
    TooLarge,
    /// <summary>The request is wrong in itself.</summary>
    InvalidRequest,
    /// <summary>There is no such lease.</summary>
    LeaseNotFound,
    /// <summary>There is a lease with this id already.</summary>
    LeaseExists,
    /// <summary>The lease would live too long.</summary>
    LeaseTimeToLiveTooLarge,
    /// <summary>There is a member with this id or these URLs already.</summary>
    MemberExists,
    /// <summary>Too few of the members have ever started for the membership to change.</summary>
    NotEnoughStartedMembers,
    /// <summary>The peer URLs are no URLs that etcd takes.</summary>
    BadPeerUrls,
    /// <summary>There is no such member, or it was removed.</summary>
    MemberNotFound,
    /// <summary>The member votes already.</summary>
    MemberNotLearner,
    /// <summary>The learner has not caught up with the leader yet.</summary>
    LearnerNotReady,
    /// <summary>There is a learner already; etcd takes one at a time.</summary>
    TooManyLearners,
    /// <summary>The member that should lead cannot.</summary>
    BadLeaderTransferee,
    /// <summary>The members' data differ.</summary>
    Corrupt,
}
