using Blixard.Cli.Relay;

namespace Blixard.Cli.Tests.Relay;

public sealed class QuietMomentTests
{
    private const long Heap = 50 * 1024 * 1024;

    private readonly QuietMoment _moment = new();
    private TimeSpan _used;

    [Fact]
    public void It_comes_once_after_many_clients_have_come_and_no_more_do()
    {
        Assert.False(Ask(0));
        Assert.False(Ask(500));
        Assert.False(Ask(1000));
        Assert.True(Ask(1000));
        Assert.False(Ask(1000));
        Assert.False(Ask(1000));
    }

    [Fact]
    public void It_does_not_come_for_few_clients_until_they_add_up()
    {
        for (int clients = 0; clients < QuietMoment.ArrivalsMin; clients += 50)
        {
            Ask(clients);
            Assert.False(Ask(clients));
        }

        Ask(300);
        Assert.True(Ask(300));
    }

    [Fact]
    public void It_waits_while_the_relay_is_busy_and_does_not_come_where_the_heap_is_large()
    {
        Ask(1000);
        Assert.False(Ask(1000, used: 0.5));
        Assert.False(Ask(1000, heap: QuietMoment.HeapBytesMax + 1));
        Assert.True(Ask(1000));
    }

    [Fact]
    public void Clients_that_left_count_again_when_they_come_back()
    {
        Ask(1000);
        Assert.True(Ask(1000));
        Assert.False(Ask(200));
        Assert.False(Ask(900));
        Assert.True(Ask(900));
    }

    private bool Ask(int clients, double used = 0.01, long heap = Heap)
    {
        _used += TimeSpan.FromSeconds(used);
        return _moment.IsNow(clients, _used, QuietMoment.Interval, heap);
    }
}
