using Iroh.Base;

namespace Blixard.Etcd.Membership;

/// <summary>A server as the rule sees it.</summary>
/// <param name="Id">The node.</param>
/// <param name="Name">Its name in sentences.</param>
/// <param name="IsLearner">Whether it has no vote yet.</param>
/// <param name="IsAlive">Whether it answers now, as the caller knows it.</param>
public sealed record QuorumMember(EndpointId Id, string Name, bool IsLearner, bool IsAlive);

/// <summary>What the rule says.</summary>
/// <param name="IsAllowed">Whether the change may be made.</param>
/// <param name="Reason">If not: a sentence that says why and what to do. Else empty.</param>
public readonly record struct QuorumVerdict(bool IsAllowed, string Reason);

/// <summary>
/// Which changes of the members are safe. Raft commits a change with a majority of the voters before it, and everything later with a majority
/// of those after it; the rule wants both to answer now. Pure.
/// </summary>
public static class QuorumRule
{
    /// <summary>Whether <paramref name="id"/> may be removed. Removing one that is no member changes nothing and is allowed.</summary>
    public static QuorumVerdict Remove(IReadOnlyList<QuorumMember> members, EndpointId id)
    {
        QuorumMember[] voters = Voters(members);
        QuorumMember? leaving = members.FirstOrDefault(member => member.Id == id);
        if (leaving is null)
            return Allowed;
        QuorumMember[] left = [.. voters.Where(voter => voter.Id != id)];
        if (left.Length == 0)
            return Refused($"{leaving.Name} is the last server with a vote; without it the cluster has no state");
        if (!HasMajority(voters))
            return Refused($"removing {leaving.Name} needs {Majority(voters)} of the {Count(voters.Length)} to agree, and {Answering(voters)}: {Restart(voters, leaving)}");
        if (leaving.IsLearner || HasMajority(left))
            return Allowed;
        return Refused(
            $"removing {leaving.Name} leaves {Count(left.Length)} of which {Alive(left)} {(Alive(left) == 1 ? "answers" : "answer")}; "
            + $"a majority of {Majority(left)} is needed: {Advice(members, left)}");
    }

    /// <summary>
    /// Whether a new server may be admitted (as a learner, so that it changes no majority). etcd wants every voter to be connected for that:
    /// the new one becomes a voter, and one more absence must not be one too many then.
    /// </summary>
    public static QuorumVerdict Admit(IReadOnlyList<QuorumMember> members)
    {
        QuorumMember[] voters = Voters(members);
        if (!HasMajority(voters))
            return Refused($"admitting a server needs {Majority(voters)} of the {Count(voters.Length)} to agree, and {Answering(voters)}: {Restart(voters, null)}");
        return voters.All(static voter => voter.IsAlive)
            ? Allowed
            : Refused($"a server is admitted only while all others answer: {Advice(members, voters)}");
    }

    private static QuorumVerdict Allowed => new(true, "");

    private static QuorumVerdict Refused(string reason) => new(false, reason);

    private static QuorumMember[] Voters(IReadOnlyList<QuorumMember> members) =>
        [.. members.Where(static member => !member.IsLearner).OrderBy(static member => member.Name, StringComparer.Ordinal)];

    private static int Majority(QuorumMember[] voters) => (voters.Length / 2) + 1;

    private static int Alive(QuorumMember[] voters) => voters.Count(static voter => voter.IsAlive);

    private static bool HasMajority(QuorumMember[] voters) => Alive(voters) >= Majority(voters);

    private static string Count(int servers) => servers == 1 ? "1 server" : $"{servers} servers";

    private static string Answering(QuorumMember[] voters) => Alive(voters) switch
    {
        0 => "none answers",
        1 => "1 answers",
        int alive => $"{alive} answer",
    };

    /// <summary>Without a majority nothing but starting servers helps; the one that shall go counts as much as any.</summary>
    private static string Restart(QuorumMember[] voters, QuorumMember? leaving)
    {
        string start = $"start {Dead(voters)} again";
        return leaving is { IsLearner: false, IsAlive: false } && voters.Length == 2
            ? $"{start}; if it is lost, restore a backup (of two servers none can be lost)"
            : start;
    }

    private static string Advice(IReadOnlyList<QuorumMember> members, QuorumMember[] voters)
    {
        string[] removable =
            [.. voters.Where(voter => !voter.IsAlive && Remove(members, voter.Id).IsAllowed).Select(static voter => voter.Name)];
        string start = $"start {Dead(voters)} again";
        return removable.Length == 0 ? start : $"{start} or remove {string.Join(" or ", removable)} first";
    }

    private static string Dead(QuorumMember[] voters) =>
        string.Join(" or ", voters.Where(static voter => !voter.IsAlive).Select(static voter => voter.Name));
}
