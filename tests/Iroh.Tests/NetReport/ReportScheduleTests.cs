using Iroh.NetReport;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Tests.NetReport;

public class ReportScheduleTests
{
    private static readonly Instant s_start = new(5_000_000_000);
    private static readonly NetReportResult s_good = new() { At = default };

    private readonly ReportSchedule _schedule = new();

    [Fact]
    public void The_first_report_is_full_and_at_once_the_next_ones_follow_after_random_pauses()
    {
        Assert.True(_schedule.Next <= s_start);
        Assert.True(_schedule.Begin(s_start));
        _schedule.End(s_start, s_good, random: 0.5);
        Assert.Equal(TimeSpan.FromSeconds(23), _schedule.Next - s_start);
        Assert.False(_schedule.Begin(_schedule.Next));
    }

    [Fact]
    public void Every_five_minutes_a_report_is_full()
    {
        Instant now = s_start;
        var full = new List<double>();
        while (now - s_start < TimeSpan.FromMinutes(11))
        {
            if (_schedule.Begin(now))
                full.Add((now - s_start).TotalSeconds);
            _schedule.End(now, s_good, random: 0);
            now = _schedule.Next;
        }

        Assert.Equal([0, 300, 600], full);
    }

    [Fact]
    public void A_large_change_asks_for_a_full_report_soon_even_while_one_goes_on()
    {
        _schedule.Begin(s_start);
        _schedule.Ask(s_start + TimeSpan.FromMilliseconds(100), isMajor: true);
        _schedule.End(s_start + TimeSpan.FromMilliseconds(200), s_good, random: 0);
        Assert.Equal(TimeSpan.FromMilliseconds(500), _schedule.Next - s_start);
        Assert.True(_schedule.Begin(_schedule.Next));
    }

    [Fact]
    public void A_small_change_asks_for_an_incremental_one()
    {
        _schedule.Begin(s_start);
        _schedule.End(s_start, s_good, random: 0);
        _schedule.Ask(s_start + TimeSpan.FromSeconds(10), isMajor: false);
        Assert.Equal(TimeSpan.FromSeconds(10), _schedule.Next - s_start);
        Assert.False(_schedule.Begin(_schedule.Next));
    }

    [Fact]
    public void While_a_captive_portal_is_in_between_reports_are_full()
    {
        _schedule.Begin(s_start);
        _schedule.End(s_start, s_good with { CaptivePortal = true }, random: 0);
        Assert.True(_schedule.Begin(_schedule.Next));
    }
}
