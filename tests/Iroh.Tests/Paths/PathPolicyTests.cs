using Iroh.Paths;
using Iroh.Quic.Protocol.Primitives;
using static Iroh.Tests.Paths.PathSelectorTests;

namespace Iroh.Tests.Paths;

public class PathPolicyTests
{
    private static readonly NetworkAddress s_relay = NetworkAddress.Virtual(1);
    private static readonly Instant s_start = new(1_000_000_000);

    [Fact]
    public void The_end_that_dialled_looks_for_a_direct_path_at_once_and_then_ever_more_rarely()
    {
        var policy = new PathPolicy(isClient: true);
        Instant now = s_start;
        var gaps = new List<double>();
        Instant last = Instant.Never;
        for (int rounds = 0; rounds < 7;)
        {
            PathDecision decision = Look(policy, now, [Relayed(0, 30)]);
            Assert.True(decision.LookAgain > now);
            if (decision.StartRound)
            {
                if (last != Instant.Never)
                    gaps.Add((now - last).TotalSeconds);
                last = now;
                rounds++;
            }

            now = decision.LookAgain;
        }

        Assert.Equal([5, 10, 20, 40, 60, 60], gaps);
    }

    [Fact]
    public void The_end_that_accepted_starts_no_rounds_and_opens_and_closes_nothing()
    {
        var policy = new PathPolicy(isClient: false);
        PathDecision decision = Look(policy, s_start, [V4(0, 3), V4(1, 90), V4(2, 80)], PathNews.CandidatesChanged | PathNews.PathLost);

        Assert.False(decision.StartRound);
        Assert.Empty(decision.Close);
        Assert.True(decision.OpenRelay.IsUnspecified);
        Assert.Equal(new PathId(0), decision.Selected);
    }

    [Fact]
    public void A_lost_direct_path_starts_a_round_at_once()
    {
        var policy = new PathPolicy(isClient: true);
        Assert.True(Look(policy, s_start, [Relayed(0, 30), V4(1, 4)]).StartRound);
        Instant later = s_start + TimeSpan.FromSeconds(100);
        Assert.False(Look(policy, later, [Relayed(0, 30), V4(1, 4)]).StartRound);

        PathDecision decision = Look(policy, later, [Relayed(0, 30), V4(1, 4) with { IsSilent = true }]);

        Assert.True(decision.StartRound);
        Assert.Equal(new PathId(0), decision.Selected);
    }

    [Fact]
    public void Candidates_that_flap_start_rounds_only_so_often()
    {
        var policy = new PathPolicy(isClient: true);
        int rounds = 0;
        for (int i = 0; i < 100; i++)
        {
            if (Look(policy, s_start + TimeSpan.FromMilliseconds(10 * i), [Relayed(0, 30)], PathNews.CandidatesChanged).StartRound)
                rounds++;
        }

        Assert.Equal(2, rounds);
    }

    [Fact]
    public void Without_candidates_no_round_starts_and_with_them_it_does()
    {
        var policy = new PathPolicy(isClient: true);
        Assert.False(Look(policy, s_start, [Relayed(0, 30)], canPunch: false).StartRound);
        Assert.True(Look(policy, s_start, [Relayed(0, 30)], PathNews.CandidatesChanged).StartRound);
    }

    [Fact]
    public void The_first_round_does_not_wait_for_the_peers_candidates_and_later_ones_do()
    {
        var policy = new PathPolicy(isClient: true);
        Assert.True(Look(policy, s_start, [Relayed(0, 30)], hasPeer: false).StartRound);
        Assert.False(Look(policy, s_start + TimeSpan.FromSeconds(30), [Relayed(0, 30)], hasPeer: false).StartRound);
        Assert.True(Look(policy, s_start + TimeSpan.FromSeconds(31), [Relayed(0, 30)], PathNews.PeerCandidatesChanged).StartRound);
    }

    [Fact]
    public void The_peers_candidates_that_come_in_a_round_are_a_reason_for_another_only_if_it_fails()
    {
        foreach (bool succeeds in new[] { true, false })
        {
            var policy = new PathPolicy(isClient: true);
            Assert.True(Look(policy, s_start, [Relayed(0, 30)], hasPeer: false).StartRound);
            Instant named = s_start + TimeSpan.FromMilliseconds(40);
            Assert.False(Look(policy, named, [Relayed(0, 30)], PathNews.PeerCandidatesChanged).StartRound);
            PathView[] paths = succeeds ? [Relayed(0, 30), V4(1, 40)] : [Relayed(0, 30)];

            Assert.Equal(!succeeds, Look(policy, s_start + PunchSchedule.RoundGap, paths).StartRound);
        }
    }

    [Fact]
    public void A_relay_is_opened_as_a_backup_of_a_direct_path_and_tried_again_when_refused()
    {
        var policy = new PathPolicy(isClient: true);
        Assert.Equal(s_relay, Look(policy, s_start, [V4(0, 3)]).OpenRelay);
        Assert.True(Look(policy, s_start, [V4(0, 3)]).OpenRelay.IsUnspecified);
        policy.OnRelayRefused();
        Assert.Equal(s_relay, Look(policy, s_start, [V4(0, 3)], PathNews.PathsAvailable).OpenRelay);
        Assert.True(Look(policy, s_start, [V4(0, 3), Relayed(1, 0) with { IsValidated = false }]).OpenRelay.IsUnspecified);
    }

    [Fact]
    public void A_relay_path_that_does_not_come_up_is_tried_at_growing_intervals()
    {
        var policy = new PathPolicy(isClient: true);
        int opened = 0;
        for (int second = 0; second < 300; second++)
        {
            if (!Look(policy, s_start + TimeSpan.FromSeconds(second), [V4(0, 3)]).OpenRelay.IsUnspecified)
                opened++;
        }

        Assert.InRange(opened, 8, 12);
    }

    [Fact]
    public void Surplus_direct_paths_are_closed_but_the_best_of_the_other_family_stays()
    {
        var policy = new PathPolicy(isClient: true);
        PathDecision decision = Look(policy, s_start, [Relayed(0, 30), V4(1, 10), V4(2, 40), V6(3, 30), V6(4, 35), V4(5, 1) with { IsValidated = false }]);

        Assert.Equal(new PathId(1), decision.Selected);
        Assert.Equal([new PathId(2), new PathId(4)], decision.Close);
    }

    private static PathDecision Look(
        PathPolicy policy, Instant now, PathView[] paths, PathNews news = PathNews.None, bool canPunch = true, bool hasPeer = true) =>
        policy.Look(
            now, new PathSituation { Paths = paths, Relays = new[] { s_relay }, CanPunch = canPunch, HasPeerCandidates = hasPeer, News = news });
}
