using Blixard.Cluster.Liveness;
using Blixard.Cluster.Tests.Support;
using Iroh.Base;

namespace Blixard.Cluster.Tests.Liveness;

public class LossJudgeTests
{
    private static readonly EndpointId s_a = TemporaryStore.Id(1), s_b = TemporaryStore.Id(2);
    private readonly LossJudge _judge = new(TimeSpan.FromSeconds(6));

    [Fact]
    public void A_node_that_was_seen_is_lost_at_once_when_its_key_is_gone()
    {
        Assert.Empty(Judge(1, alive: [s_a, s_b]).Lost);
        Assert.Equal([s_b], Judge(2, alive: [s_a]).Lost);
        Assert.Empty(Judge(3, alive: [s_a, s_b]).Lost);
    }

    [Fact]
    public void A_node_that_was_never_seen_gets_one_time_to_live()
    {
        (IReadOnlySet<EndpointId> lost, TimeSpan? again) = Judge(10, alive: [s_a]);
        Assert.Empty(lost);
        Assert.Equal(TimeSpan.FromSeconds(16), again);
        Assert.Empty(Judge(15.9, alive: [s_a]).Lost);
        (lost, again) = Judge(16, alive: [s_a]);
        Assert.Equal([s_b], lost);
        Assert.Null(again);
    }

    [Fact]
    public void What_another_controller_had_recorded_stays_lost() => Assert.Equal([s_b], Judge(10, alive: [s_a], known: [s_b]).Lost);

    [Fact]
    public void A_member_that_left_is_not_lost_and_comes_back_as_a_stranger()
    {
        Judge(1, alive: [s_a, s_b]);
        Assert.Empty(_judge.Judge([s_a], new HashSet<EndpointId> { s_a }, new HashSet<EndpointId>(), TimeSpan.FromSeconds(2)).Lost);
        Assert.Empty(Judge(3, alive: [s_a]).Lost);
    }

    private (IReadOnlySet<EndpointId> Lost, TimeSpan? LookAgainAt) Judge(double now, EndpointId[] alive, params EndpointId[] known) =>
        _judge.Judge([s_a, s_b], alive.ToHashSet(), known.ToHashSet(), TimeSpan.FromSeconds(now));
}
