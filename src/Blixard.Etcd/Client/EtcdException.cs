using Blixard.Rpc.Calls;

namespace Blixard.Etcd.Client;

/// <summary>A call of etcd that failed.</summary>
public sealed class EtcdException : Exception
{
    // All of etcd's errors begin with it.
    private const string Prefix = "etcdserver: ";

    // etcd tells its errors apart by their texts (rpctypes/error.go); codes repeat and some changed between 3.4 and 3.6.
    private static readonly Dictionary<string, EtcdErrorKind> s_kinds = new(StringComparer.Ordinal)
    {
        ["no leader"] = EtcdErrorKind.NoLeader,
        ["leader changed"] = EtcdErrorKind.LeaderChanged,
        ["not leader"] = EtcdErrorKind.NotLeader,
        ["server stopped"] = EtcdErrorKind.Stopped,
        ["not capable"] = EtcdErrorKind.NotCapable,
        ["rpc not supported for learner"] = EtcdErrorKind.NotSupportedForLearner,
        ["unhealthy cluster"] = EtcdErrorKind.Unhealthy,
        ["watch canceled"] = EtcdErrorKind.WatchCanceled,
        ["mvcc: required revision has been compacted"] = EtcdErrorKind.Compacted,
        ["mvcc: required revision is a future revision"] = EtcdErrorKind.FutureRevision,
        ["mvcc: database space exceeded"] = EtcdErrorKind.NoSpace,
        ["too many requests"] = EtcdErrorKind.TooManyRequests,
        ["request is too large"] = EtcdErrorKind.TooLarge,
        ["requested lease not found"] = EtcdErrorKind.LeaseNotFound,
        ["lease already exists"] = EtcdErrorKind.LeaseExists,
        ["too large lease TTL"] = EtcdErrorKind.LeaseTimeToLiveTooLarge,
        ["member ID already exist"] = EtcdErrorKind.MemberExists,
        ["Peer URLs already exists"] = EtcdErrorKind.MemberExists,
        ["re-configuration failed due to not enough started members"] = EtcdErrorKind.NotEnoughStartedMembers,
        ["given member URLs are invalid"] = EtcdErrorKind.BadPeerUrls,
        ["member not found"] = EtcdErrorKind.MemberNotFound,
        ["can only promote a learner member"] = EtcdErrorKind.MemberNotLearner,
        ["can only promote a learner member which is in sync with leader"] = EtcdErrorKind.LearnerNotReady,
        ["too many learner members in cluster"] = EtcdErrorKind.TooManyLearners,
        ["bad leader transferee"] = EtcdErrorKind.BadLeaderTransferee,
        ["corrupt cluster"] = EtcdErrorKind.Corrupt,
    };

    // Several texts begin with it and go on with a guess at the reason.
    private const string TimedOut = "request timed out";

    /// <summary>A failure with its kind.</summary>
    public EtcdException(EtcdErrorKind kind, string message, bool hadNoEffect = false, Exception? inner = null)
        : base(message, inner) => (Kind, HadNoEffect) = (kind, hadNoEffect);

    /// <summary>Why it failed.</summary>
    public EtcdErrorKind Kind { get; }

    /// <summary>True if the call surely had and will have no effect; false if that is not known.</summary>
    public bool HadNoEffect { get; }

    /// <summary>True if etcd may answer the same call later: it says nothing against the call itself.</summary>
    public bool IsUnavailable => Kind is EtcdErrorKind.Unreachable or EtcdErrorKind.ConnectionLost or EtcdErrorKind.TimedOut
        or EtcdErrorKind.NoLeader or EtcdErrorKind.LeaderChanged or EtcdErrorKind.NotLeader or EtcdErrorKind.Stopped
        or EtcdErrorKind.NotCapable or EtcdErrorKind.NotSupportedForLearner or EtcdErrorKind.Unhealthy
        or EtcdErrorKind.WatchCanceled or EtcdErrorKind.NoSpace or EtcdErrorKind.TooManyRequests;

    /// <summary>The kind of an error that etcd names, with or without "etcdserver: " before it.</summary>
    internal static EtcdErrorKind KindOf(string message)
    {
        string text = message.StartsWith(Prefix, StringComparison.Ordinal) ? message[Prefix.Length..] : message;
        if (text.StartsWith(TimedOut, StringComparison.Ordinal))
            return EtcdErrorKind.TimedOut;
        return s_kinds.GetValueOrDefault(text, EtcdErrorKind.Other);
    }

    internal static EtcdException From(RpcException failure) => failure.Stage switch
    {
        RpcFailureStage.Answered => FromAnswer(failure),
        RpcFailureStage.NotSent => new(EtcdErrorKind.Unreachable, $"nobody serves etcd's socket: {failure.GetBaseException().Message}", hadNoEffect: true, failure),
        RpcFailureStage.Local when failure.StatusCode == RpcStatusCode.DeadlineExceeded =>
            new(EtcdErrorKind.TimedOut, "etcd did not answer in time", inner: failure),
        RpcFailureStage.Local => new(EtcdErrorKind.TooLarge, failure.Message, hadNoEffect: true, failure),
        _ when failure.StatusCode == RpcStatusCode.ResourceExhausted => new(EtcdErrorKind.TooLarge, $"etcd's answer: {failure.Message}", inner: failure),
        _ => new(EtcdErrorKind.ConnectionLost, $"the connection to etcd broke: {failure.Message}", inner: failure),
    };

    private static EtcdException FromAnswer(RpcException failure)
    {
        EtcdErrorKind kind = KindOf(failure.Message);
        if (kind == EtcdErrorKind.Other)
        {
            kind = failure.StatusCode switch
            {
                RpcStatusCode.InvalidArgument => EtcdErrorKind.InvalidRequest,
                RpcStatusCode.Unavailable => EtcdErrorKind.ConnectionLost,
                RpcStatusCode.DeadlineExceeded => EtcdErrorKind.TimedOut,
                _ => EtcdErrorKind.Other,
            };
        }

        // What etcd may say after it handed a request to Raft; all else it says before, or instead.
        bool undecided = kind is EtcdErrorKind.TimedOut or EtcdErrorKind.ConnectionLost or EtcdErrorKind.Stopped
            or EtcdErrorKind.LeaderChanged or EtcdErrorKind.Other;
        return new EtcdException(kind, failure.Message, hadNoEffect: !undecided, failure);
    }
}
