using Blixard.Testing.NatLab;

namespace Blixard.NatLab.Tests.Lab;

public sealed class LinkScheduleTests
{
    private static readonly TimeSpan s_now = TimeSpan.FromSeconds(5);

    [Fact]
    public void A_frame_takes_the_delay_and_its_time_on_the_line()
    {
        var schedule = new LinkSchedule(1);
        var conditions = new LinkConditions { Delay = TimeSpan.FromMilliseconds(30), BytesPerSecond = 100_000 };

        TimeSpan? first = schedule.TryCarry(s_now, 1000, conditions);
        TimeSpan? second = schedule.TryCarry(s_now, 1000, conditions);

        Assert.Equal(s_now + TimeSpan.FromMilliseconds(40), first);
        Assert.Equal(s_now + TimeSpan.FromMilliseconds(50), second);
    }

    [Fact]
    public void What_would_wait_longer_than_the_queue_allows_is_dropped()
    {
        var schedule = new LinkSchedule(1);
        var conditions = new LinkConditions { BytesPerSecond = 100_000, QueueMax = TimeSpan.FromMilliseconds(20) };

        bool[] carried = [.. Enumerable.Range(0, 5).Select(_ => schedule.TryCarry(s_now, 1000, conditions) is not null)];

        Assert.Equal([true, true, true, false, false], carried);
    }

    [Fact]
    public void Jitter_keeps_the_order_and_losses_have_the_rate()
    {
        var schedule = new LinkSchedule(7);
        var conditions = new LinkConditions { Delay = TimeSpan.FromMilliseconds(10), Jitter = TimeSpan.FromMilliseconds(10), LossRate = 0.2 };
        var arrivals = new List<TimeSpan>();
        int lost = 0;
        for (int i = 0; i < 10_000; i++)
        {
            TimeSpan sent = s_now + TimeSpan.FromMilliseconds(i);
            if (schedule.TryCarry(sent, 100, conditions) is not { } arrival)
            {
                lost++;
                continue;
            }

            Assert.InRange(arrival - sent, conditions.Delay, conditions.Delay + conditions.Jitter);
            arrivals.Add(arrival);
        }

        Assert.Equal(arrivals.Order(), arrivals);
        Assert.InRange(lost, 1800, 2200);
    }
}
