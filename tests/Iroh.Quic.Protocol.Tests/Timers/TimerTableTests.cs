using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Timers;

namespace Iroh.Quic.Protocol.Tests.Timers;

public class TimerTableTests
{
    private readonly TimerTable<PathTimer> _timers = new();

    [Fact]
    public void A_new_table_never_expires()
    {
        Assert.Equal(Instant.Never, _timers.Next);
        foreach (PathTimer timer in Enum.GetValues<PathTimer>())
            Assert.False(_timers.TryExpire(timer, new Instant(long.MaxValue - 1)));
    }

    [Fact]
    public void The_earliest_timer_is_next()
    {
        _timers[PathTimer.Pacing] = new Instant(20);
        _timers[PathTimer.KeepAlive] = new Instant(10);
        Assert.Equal(new Instant(10), _timers.Next);
        _timers.Stop(PathTimer.KeepAlive);
        Assert.Equal(new Instant(20), _timers.Next);
        _timers.StopAll();
        Assert.Equal(Instant.Never, _timers.Next);
    }

    [Fact]
    public void A_timer_expires_once_and_at_its_instant()
    {
        _timers[PathTimer.AckDelay] = new Instant(10);
        Assert.False(_timers.TryExpire(PathTimer.AckDelay, new Instant(9)));
        Assert.True(_timers.TryExpire(PathTimer.AckDelay, new Instant(10)));
        Assert.False(_timers.TryExpire(PathTimer.AckDelay, new Instant(11)));
    }
}
