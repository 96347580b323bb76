using Blixard.Cluster.Store;

namespace Blixard.Cluster.Tests.Store;

public sealed class LeaseTableTests
{
    private readonly LeaseTable _table = new();

    [Fact]
    public void A_lease_lives_until_its_deadline_and_not_at_it()
    {
        _table.Add(1, Seconds(6), Seconds(10));
        Assert.True(_table.IsAlive(1, Seconds(15.999)));
        Assert.False(_table.IsAlive(1, Seconds(16)));
        Assert.Empty(_table.Ended(Seconds(15.999)));
        Assert.Equal([1], _table.Ended(Seconds(16)));
    }

    [Fact]
    public void Keeping_a_lease_gives_it_its_whole_time_again()
    {
        _table.Add(1, Seconds(6), Seconds(0));
        Assert.Equal(Seconds(6), _table.Keep(1, Seconds(5)));
        Assert.Equal(Seconds(11), _table.NextDeadline);
        Assert.True(_table.IsAlive(1, Seconds(10.9)));
    }

    [Fact]
    public void A_lease_that_has_ended_cannot_be_kept_although_its_keys_are_still_there()
    {
        _table.Add(1, Seconds(6), Seconds(0));
        Assert.Null(_table.Keep(1, Seconds(6)));
        Assert.Equal([1], _table.Ended(Seconds(6)));
        Assert.True(_table.Contains(1));
        _table.Remove(1);
        Assert.Null(_table.Keep(1, Seconds(0)));
        Assert.Null(_table.NextDeadline);
    }

    [Fact]
    public void Leases_end_in_the_order_of_their_deadlines()
    {
        _table.Add(3, Seconds(9), Seconds(0));
        _table.Add(1, Seconds(8), Seconds(0));
        _table.Add(2, Seconds(7), Seconds(0));
        Assert.Equal(Seconds(7), _table.NextDeadline);
        Assert.Equal([2, 1], _table.Ended(Seconds(8)));
    }

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);
}
