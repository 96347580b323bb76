using Blixard.Etcd.Membership;
using Blixard.Etcd.Tests.Support;

namespace Blixard.Etcd.Tests.Membership;

public sealed class QuorumRuleTests
{
    private const string Names = "abcde";

    [Fact]
    public void Removing_from_one_to_five_voters_is_allowed_exactly_if_a_majority_answers_before_and_after()
    {
        for (int count = 1; count <= 5; count++)
        {
            for (int alive = 0; alive < 1 << count; alive++)
            {
                for (int leaving = 0; leaving < count; leaving++)
                {
                    QuorumMember[] members = Voters(count, alive);
                    QuorumVerdict verdict = QuorumRule.Remove(members, members[leaving].Id);

                    bool expected = MajorityAnswers(members) && MajorityAnswers([.. members.Where((_, index) => index != leaving)]);
                    Assert.True(expected == verdict.IsAllowed, $"{Describe(members)}, removing {Names[leaving]}: {verdict}");
                    Assert.Equal(verdict.IsAllowed, verdict.Reason.Length == 0);
                }
            }
        }
    }

    [Fact]
    public void What_a_refusal_proposes_to_remove_first_may_be_removed_and_what_it_proposes_to_start_helps()
    {
        int proposals = 0;
        foreach ((QuorumMember[] members, QuorumVerdict verdict, Func<QuorumMember[], QuorumVerdict> again) in Refusals())
        {
            bool proposesStart = verdict.Reason.Contains("start ");
            Assert.True(proposesStart || verdict.Reason.Contains("last server"), verdict.Reason);
            int removal = verdict.Reason.IndexOf("or remove ", StringComparison.Ordinal);
            if (removal >= 0)
            {
                proposals++;
                string named = verdict.Reason[(removal + "or remove ".Length)..].Replace(" first", "");
                foreach (string name in named.Split(" or "))
                    Assert.True(QuorumRule.Remove(members, members.Single(member => member.Name == name).Id).IsAllowed, $"{Describe(members)}: {verdict.Reason}");
            }

            if (proposesStart)
                Assert.True(again([.. members.Select(member => member with { IsAlive = true })]).IsAllowed, $"{Describe(members)}: {verdict.Reason}");
        }

        Assert.True(proposals > 0);
    }

    [Theory]
    [InlineData("A", "a", "a is the last server with a vote; without it the cluster has no state")]
    [InlineData("ABc", "b", "removing b leaves 2 servers of which 1 answers; a majority of 2 is needed: start c again or remove c first")]
    [InlineData("ABc", "c", "")]
    [InlineData("Ab", "b", "removing b needs 2 of the 2 servers to agree, and 1 answers: start b again; if it is lost, restore a backup (of two servers none can be lost)")]
    [InlineData("Abc", "a", "removing a needs 2 of the 3 servers to agree, and 1 answers: start b or c again")]
    [InlineData("ABCde", "a", "removing a leaves 4 servers of which 2 answer; a majority of 3 is needed: start d or e again or remove d or e first")]
    [InlineData("AB", "b", "")]
    public void Removals_are_judged_with_a_sentence(string voters, string leaving, string reason)
    {
        QuorumMember[] members = Voters(voters);

        Assert.Equal(new QuorumVerdict(reason.Length == 0, reason), QuorumRule.Remove(members, members.Single(member => member.Name == leaving).Id));
    }

    [Theory]
    [InlineData("A", "")]
    [InlineData("ABC", "")]
    [InlineData("ABc", "a server is admitted only while all others answer: start c again or remove c first")]
    [InlineData("Ab", "admitting a server needs 2 of the 2 servers to agree, and 1 answers: start b again")]
    public void Admissions_are_judged_with_a_sentence(string voters, string reason) =>
        Assert.Equal(new QuorumVerdict(reason.Length == 0, reason), QuorumRule.Admit(Voters(voters)));

    [Fact]
    public void A_learner_counts_for_no_majority_and_may_be_removed_dead_or_alive()
    {
        QuorumMember[] members = [.. Voters("AB"), new QuorumMember(TestEtcd.Id(9), "new", IsLearner: true, IsAlive: false)];

        Assert.True(QuorumRule.Remove(members, TestEtcd.Id(9)).IsAllowed);
        Assert.True(QuorumRule.Admit(members).IsAllowed);
        Assert.True(QuorumRule.Remove(members, members[1].Id).IsAllowed);
        Assert.False(QuorumRule.Remove([members[0], members[2]], members[0].Id).IsAllowed);
        Assert.False(QuorumRule.Remove([.. Voters("Ab"), members[2]], TestEtcd.Id(9)).IsAllowed);
    }

    [Fact]
    public void Removing_a_stranger_changes_nothing() => Assert.True(QuorumRule.Remove(Voters("Ab"), TestEtcd.Id(9)).IsAllowed);

    private static IEnumerable<(QuorumMember[] Members, QuorumVerdict Verdict, Func<QuorumMember[], QuorumVerdict> Again)> Refusals()
    {
        for (int count = 1; count <= 5; count++)
        {
            for (int alive = 0; alive < 1 << count; alive++)
            {
                QuorumMember[] members = Voters(count, alive);
                QuorumVerdict admission = QuorumRule.Admit(members);
                if (!admission.IsAllowed)
                    yield return (members, admission, QuorumRule.Admit);
                foreach (QuorumMember leaving in members)
                {
                    QuorumVerdict removal = QuorumRule.Remove(members, leaving.Id);
                    if (!removal.IsAllowed)
                        yield return (members, removal, all => QuorumRule.Remove(all, leaving.Id));
                }
            }
        }
    }

    private static bool MajorityAnswers(QuorumMember[] voters) => voters.Count(voter => voter.IsAlive) * 2 > voters.Length;

    /// <summary>One voter a letter; a capital one answers.</summary>
    private static QuorumMember[] Voters(string letters) =>
        [.. letters.Select((letter, index) => new QuorumMember(TestEtcd.Id(index), letter.ToString().ToLowerInvariant(), IsLearner: false, char.IsUpper(letter)))];

    private static QuorumMember[] Voters(int count, int alive) =>
        Voters(string.Concat(Enumerable.Range(0, count).Select(index => (alive >> index & 1) != 0 ? char.ToUpperInvariant(Names[index]) : Names[index])));

    private static string Describe(QuorumMember[] members) =>
        string.Concat(members.Select(member => member.IsAlive ? member.Name.ToUpperInvariant() : member.Name));
}
