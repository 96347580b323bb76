using Blixard.Etcd.Client;
using Blixard.Etcd.Process;
using Blixard.Etcd.Wire;
using Iroh.Base;

namespace Blixard.Etcd.Membership;

/// <summary>
/// The members of an etcd cluster, seen and changed through one of its voters. Every change is tried until it is done or its limit is reached,
/// and may be asked for again when the answer was lost. Thread-safe. Reads may fail with <see cref="EtcdException"/>.
/// </summary>
/// <param name="client">Calls this node's etcd, which must have a vote: learners refuse. Not owned.</param>
/// <param name="token">The cluster's UUID, for those that join.</param>
/// <param name="nameOf">What a node is called in sentences.</param>
/// <param name="time">The clock.</param>
public sealed class EtcdMembership(EtcdClient client, string token, Func<EndpointId, string> nameOf, TimeProvider time)
{
    /// <summary>
    /// How long an admission waits if the caller does not say: etcd wants all voters to have been connected for 5 s, and a learner
    /// before this one may have a database to fetch.
    /// </summary>
    public static readonly TimeSpan DefaultLimit = TimeSpan.FromSeconds(60);

    private const string Scheme = "unix://";
    private const string Suffix = ".raft.blixard:2380";

    /// <summary>How often a change is tried again: what it waits for takes seconds.</summary>
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(250);

    /// <summary>A change is decided by Raft and may meet an election; etcd itself gives up after 7 s.</summary>
    private static readonly EtcdCallOptions ChangeCall = new() { Timeout = TimeSpan.FromSeconds(8) };

    /// <summary>
    /// The name of the socket, in etcd's directory, over which etcd reaches the member <paramref name="id"/>: 82 characters. The node
    /// listens on one for each other member.
    /// </summary>
    public static string PeerSocketName(EndpointId id) => id + Suffix;

    /// <summary>The peer URL of the member <paramref name="id"/>, the same in every member's eyes.</summary>
    public static string PeerUrl(EndpointId id) => Scheme + PeerSocketName(id);

    /// <summary>Reads a URL that <see cref="PeerUrl"/> made.</summary>
    public static bool TryReadPeerUrl(string url, out EndpointId id)
    {
        id = default;
        return url is not null
            && url.Length == Scheme.Length + (2 * EndpointId.Length) + Suffix.Length
            && url.StartsWith(Scheme, StringComparison.Ordinal)
            && url.EndsWith(Suffix, StringComparison.Ordinal)
            && EndpointId.TryParse(url.AsSpan(Scheme.Length, 2 * EndpointId.Length), out id);
    }

    /// <summary>All members as the asked one knows them, ordered by endpoint id. A member that is cut off answers with what it knew last.</summary>
    /// <exception cref="EtcdException">etcd does not answer.</exception>
    /// <exception cref="EtcdMembershipException">There is a member that Blixard did not add.</exception>
    public async Task<IReadOnlyList<EtcdMember>> ListAsync(CancellationToken cancellationToken = default)
    {
        IReadOnlyList<Member> members = await client.ListMembersAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
        return [.. members.Select(Read).OrderBy(static member => member.Endpoint)];
    }

    /// <summary>
    /// Adds <paramref name="joiner"/> as a learner. If it is a member already, that membership is ended first and it gets a new id, whether it
    /// had started or not: whoever asks to join begins without data, and a member that returns under its id without the log that it had
    /// acknowledged breaks Raft's promises.
    /// </summary>
    /// <param name="joiner">The node that asks to join.</param>
    /// <param name="isAlive">Whether a node, this one included, answers now, as the caller knows it; asked before each attempt.</param>
    /// <param name="progress">Hears what is waited for, each time that this changes; may be null.</param>
    /// <param name="limit">How long to try; null: <see cref="DefaultLimit"/>.</param>
    /// <param name="cancellationToken">Gives up. The joiner may have become a member nevertheless.</param>
    /// <returns>How the joiner has to start.</returns>
    /// <exception cref="EtcdMembershipException">Its former membership cannot be ended safely, or the limit was reached.</exception>
    public async Task<EtcdStart.Join> AdmitAsync(
        EndpointId joiner,
        Func<EndpointId, bool> isAlive,
        IProgress<string>? progress = null,
        TimeSpan? limit = null,
        CancellationToken cancellationToken = default)
    {
        EtcdStart.Join? admitted = null;
        await RepeatAsync($"{nameOf(joiner)} could not be admitted", Attempt, progress, limit ?? DefaultLimit, cancellationToken).ConfigureAwait(false);
        return admitted!;

        async Task<string?> Attempt(CancellationToken token)
        {
            IReadOnlyList<EtcdMember> members = await ListAsync(token).ConfigureAwait(false);
            if (members.FirstOrDefault(member => member.Endpoint == joiner) is { } former)
            {
                // It asks to join, so its etcd is not there.
                Check(QuorumRule.Remove(Facts(members, id => id != joiner && isAlive(id)), joiner));
                await client.RemoveMemberAsync(former.Id, ChangeCall, token).ConfigureAwait(false);
                members = [.. members.Where(member => member != former)];
            }

            QuorumVerdict verdict = QuorumRule.Admit(Facts(members, isAlive));
            if (!verdict.IsAllowed)
                return verdict.Reason;
            admitted = await AddAsync(joiner, token).ConfigureAwait(false);
            if (admitted is not null)
                return null;
            await PromoteReadyAsync(token).ConfigureAwait(false);
            string learners = string.Join(" and ", members.Where(static member => member.IsLearner).Select(member => nameOf(member.Endpoint)));
            return $"one server at a time can be new, and {learners} has not caught up yet; if it never will, remove it first";
        }
    }

    /// <summary>Gives each learner that has caught up its vote.</summary>
    /// <returns>Those that got it now. Whoever has not caught up is left for the next time.</returns>
    /// <exception cref="EtcdException">etcd does not answer, or cannot decide now.</exception>
    public async Task<IReadOnlyList<EndpointId>> PromoteReadyAsync(CancellationToken cancellationToken = default)
    {
        var promoted = new List<EndpointId>();
        foreach (EtcdMember learner in await ListAsync(cancellationToken).ConfigureAwait(false))
        {
            if (!learner.IsLearner || !learner.IsStarted)
                continue;
            try
            {
                await client.PromoteMemberAsync(learner.Id, ChangeCall, cancellationToken).ConfigureAwait(false);
                promoted.Add(learner.Endpoint);
            }
            catch (EtcdException e) when (e.Kind is EtcdErrorKind.LearnerNotReady or EtcdErrorKind.MemberNotLearner or EtcdErrorKind.MemberNotFound)
            {
                // Not yet, or another server was faster.
            }
        }

        return promoted;
    }

    /// <summary>
    /// Removes a member for good; nothing happens if it is none. Let another member do this: one that removes itself is gone before it can
    /// tell.
    /// </summary>
    /// <param name="leaving">The node.</param>
    /// <param name="isAlive">Whether a node, this one included, answers now, as the caller knows it; asked before each attempt.</param>
    /// <param name="progress">Hears what is waited for; may be null.</param>
    /// <param name="limit">How long to try; null: <see cref="DefaultLimit"/>.</param>
    /// <param name="cancellationToken">Gives up. The member may have been removed nevertheless.</param>
    /// <exception cref="EtcdMembershipException">It would leave no majority, or no voter; or the limit was reached.</exception>
    public Task RemoveAsync(
        EndpointId leaving,
        Func<EndpointId, bool> isAlive,
        IProgress<string>? progress = null,
        TimeSpan? limit = null,
        CancellationToken cancellationToken = default)
    {
        return RepeatAsync($"{nameOf(leaving)} could not be removed", Attempt, progress, limit ?? DefaultLimit, cancellationToken);

        async Task<string?> Attempt(CancellationToken token)
        {
            IReadOnlyList<EtcdMember> members = await ListAsync(token).ConfigureAwait(false);
            if (members.FirstOrDefault(member => member.Endpoint == leaving) is not { } member)
                return null;
            Check(QuorumRule.Remove(Facts(members, isAlive), leaving));
            await client.RemoveMemberAsync(member.Id, ChangeCall, token).ConfigureAwait(false);
            return null;
        }
    }

    /// <summary>
    /// If this node's etcd leads: hands the office to another voter that answers, so that the cluster is spared an election when this
    /// node goes.
    /// </summary>
    /// <param name="isAlive">Whether a node answers now, as the caller knows it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The new leader; null if this one does not lead or there is nobody to take over.</returns>
    /// <exception cref="EtcdException">etcd does not answer, or the other one did not take over in time.</exception>
    public async Task<EndpointId?> MoveLeaderAsync(Func<EndpointId, bool> isAlive, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(isAlive);
        StatusResponse status = await client.StatusAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
        if (status.Leader != status.Header.MemberId)
            return null;
        IReadOnlyList<EtcdMember> members = await ListAsync(cancellationToken).ConfigureAwait(false);
        EtcdMember? next = members.FirstOrDefault(member => member.Id != status.Leader && !member.IsLearner && isAlive(member.Endpoint));
        if (next is null)
            return null;
        try
        {
            await client.MoveLeaderAsync(next.Id, ChangeCall, cancellationToken).ConfigureAwait(false);
            return next.Endpoint;
        }
        catch (EtcdException e) when (e.Kind == EtcdErrorKind.NotLeader)
        {
            return null;
        }
    }

    private async Task<EtcdStart.Join?> AddAsync(EndpointId joiner, CancellationToken cancellationToken)
    {
        try
        {
            MemberAddResponse added = await client.AddMemberAsync([PeerUrl(joiner)], isLearner: true, ChangeCall, cancellationToken).ConfigureAwait(false);
            return new EtcdStart.Join(token, [.. added.Members.Select(member => Read(member).Endpoint).Order()]);
        }
        catch (EtcdException e) when (e.Kind == EtcdErrorKind.TooManyLearners)
        {
            return null;
        }
    }

    /// <summary>Tries until the attempt says null; else it says what it waits for.</summary>
    private async Task RepeatAsync(
        string failed, Func<CancellationToken, Task<string?>> attempt, IProgress<string>? progress, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var over = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(over.Token, cancellationToken);
        string told = "etcd does not answer";
        try
        {
            while (await AttemptAsync(attempt, either.Token).ConfigureAwait(false) is { } waiting)
            {
                if (waiting != told)
                    progress?.Report(waiting);
                told = waiting;
                await Task.Delay(RetryInterval, time, either.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new EtcdMembershipException(EtcdMembershipFailure.TimedOut, $"{failed} within {limit.TotalSeconds:0.#} s: {told}", e);
        }
    }

    private static async Task<string?> AttemptAsync(Func<CancellationToken, Task<string?>> attempt, CancellationToken cancellationToken)
    {
        try
        {
            return await attempt(cancellationToken).ConfigureAwait(false);
        }
        catch (EtcdException e) when (e.Kind == EtcdErrorKind.Unhealthy)
        {
            return "etcd changes its members only when all that vote have been connected for 5 seconds";
        }
        catch (EtcdException e) when (e.Kind == EtcdErrorKind.NotEnoughStartedMembers)
        {
            return "a server that was admitted has yet to start";
        }
        catch (EtcdException e) when (e.Kind is EtcdErrorKind.MemberExists or EtcdErrorKind.MemberNotFound)
        {
            return "another server changes the members, too";
        }
        catch (EtcdException e) when (e.IsUnavailable)
        {
            return e.Message;
        }
    }

    private List<QuorumMember> Facts(IReadOnlyList<EtcdMember> members, Func<EndpointId, bool> isAlive) =>
        [.. members.Select(member => new QuorumMember(member.Endpoint, nameOf(member.Endpoint), member.IsLearner, isAlive(member.Endpoint)))];

    private static void Check(QuorumVerdict verdict)
    {
        if (!verdict.IsAllowed)
            throw new EtcdMembershipException(EtcdMembershipFailure.Refused, verdict.Reason);
    }

    private static EtcdMember Read(Member member) => member.PeerURLs.Count == 1 && TryReadPeerUrl(member.PeerURLs[0], out EndpointId endpoint)
        ? new EtcdMember(endpoint, member.ID, member.IsLearner, member.Name.Length > 0)
        : throw new EtcdMembershipException(
            EtcdMembershipFailure.UnknownMember,
            $"the cluster has a member {member.ID:x} ({string.Join(", ", member.PeerURLs)}) that was not added by a node; remove it with etcdctl member remove {member.ID:x}");
}
