using Iroh.PortMapping;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Tests.PortMapping;

public class MappingScheduleTests
{
    private readonly MappingSchedule _schedule = new();
    private Instant _now = new(1_000);

    [Fact]
    public void A_lease_is_renewed_at_half_of_its_life_but_not_without_a_pause()
    {
        _schedule.OnGranted(_now, TimeSpan.FromHours(2));
        Assert.Equal(TimeSpan.FromHours(1), _schedule.Next - _now);
        _schedule.OnGranted(_now, TimeSpan.FromSeconds(1));
        Assert.Equal(TimeSpan.FromSeconds(30), _schedule.Next - _now);
    }

    [Fact]
    public void A_gateway_that_never_grants_is_asked_ever_more_rarely_until_the_network_changes()
    {
        var pauses = new List<double>();
        for (int i = 0; i < 8; i++)
        {
            _schedule.OnFailed(_now);
            pauses.Add((_schedule.Next - _now).TotalMinutes);
            _now = _schedule.Next;
        }

        Assert.Equal([1, 2, 4, 8, 16, 32, 60, 60], pauses);
        _schedule.Restart(_now);
        Assert.Equal(_now, _schedule.Next);
        _schedule.OnFailed(_now);
        Assert.Equal(TimeSpan.FromMinutes(1), _schedule.Next - _now);
    }

    [Fact]
    public void While_a_lease_lasts_failed_renewals_are_repeated_every_minute()
    {
        _schedule.OnGranted(_now, TimeSpan.FromMinutes(10));
        _now = _schedule.Next;
        int tries = 0;
        for (; _schedule.IsHeld(_now); tries++)
        {
            _schedule.OnFailed(_now);
            Assert.Equal(TimeSpan.FromMinutes(1), _schedule.Next - _now);
            _now = _schedule.Next;
        }

        Assert.Equal(5, tries);
    }
}
