using Blixard.Cluster.Liveness;

namespace Blixard.Cluster.Tests.Liveness;

public class FencingClockTests
{
    private static readonly LeaseTimes s_times = new(TimeSpan.FromSeconds(6));

    [Fact]
    public void A_renewal_counts_from_when_it_was_sent_and_the_deadline_is_a_margin_before_the_end()
    {
        FencingClock clock = Opened(sentAt: 100);

        Assert.Equal(At(105), clock.Term.Deadline);
        Assert.Equal(At(104.75), clock.StopAt);
        Assert.True(clock.MayRun(At(104.7)));
        Assert.False(clock.MayRun(At(104.75)));
        clock.Renew(1, At(102), s_times);
        Assert.True(clock.MayRun(At(106.7)));
        Assert.Equal("this node could not renew its lease for 5.1 s", clock.Explain(At(107.1)));
    }

    [Fact]
    public void A_late_renewal_of_the_same_lease_goes_on_without_an_interruption()
    {
        FencingClock clock = Opened(sentAt: 100);
        long generation = clock.Term.Generation;

        clock.Renew(1, At(105.5), s_times);

        Assert.True(clock.MayRun(At(106)));
        Assert.Equal(generation, clock.Term.Generation);
    }

    [Fact]
    public void A_new_lease_continues_only_before_the_former_deadline()
    {
        FencingClock clock = Opened(sentAt: 100);
        Assert.False(clock.TryContinue(2, At(104.9), s_times, now: At(105)));
        Assert.Equal(At(105), clock.Term.Deadline);
        Assert.True(clock.TryContinue(2, At(104.8), s_times, now: At(104.9)));
        Assert.Equal(At(109.8), clock.Term.Deadline);
        clock.Renew(1, At(200), s_times);
        Assert.Equal(At(109.8), clock.Term.Deadline);
    }

    [Fact]
    public void What_the_former_process_left_is_continued()
    {
        var clock = new FencingClock(new FencingTerm(At(50), 7), s_times);

        Assert.True(clock.MayRun(At(49)));
        Assert.True(clock.TryContinue(2, At(49), s_times, now: At(49.5)));
        Assert.Equal(new FencingTerm(At(54), 7), clock.Term);
    }

    [Fact]
    public void Without_a_lease_and_after_its_loss_nothing_runs_and_the_generation_is_another()
    {
        var clock = new FencingClock(null, s_times);
        Assert.False(clock.MayRun(At(0.1)));
        Assert.Equal("this node has no lease yet", clock.Explain(At(1)));
        Assert.False(clock.TryContinue(1, At(1), s_times, now: At(1)));
        FencingTerm interrupted = clock.Interrupt();
        clock.Open(1, At(1), s_times);
        Assert.Equal(interrupted.Generation, clock.Term.Generation);
        Assert.True(clock.MayRun(At(2)));

        clock.Lose();

        Assert.False(clock.MayRun(At(2)));
        Assert.Equal(new FencingTerm(TimeSpan.Zero, interrupted.Generation + 1), clock.Term);
        Assert.Equal("the cluster has ended this node's lease", clock.Explain(At(2)));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(6)]
    [InlineData(60)]
    [InlineData(300)]
    public void A_renewal_is_due_well_before_the_node_stops_its_VMs_and_that_before_the_guard(int seconds)
    {
        var times = new LeaseTimes(TimeSpan.FromSeconds(seconds));

        Assert.True(times.RenewalInterval < times.TimeToLive - times.Margin - times.Lead);
        Assert.True(times.Lead > TimeSpan.FromMilliseconds(100));
        // Half a second for the guard, and a hundredth of the time for clocks that differ.
        Assert.True(times.Margin >= TimeSpan.FromSeconds(0.5) + (times.TimeToLive / 100));
    }

    private static TimeSpan At(double seconds) => TimeSpan.FromSeconds(seconds);

    private static FencingClock Opened(double sentAt)
    {
        var clock = new FencingClock(null, s_times);
        clock.Interrupt();
        clock.Open(1, At(sentAt), s_times);
        return clock;
    }
}
