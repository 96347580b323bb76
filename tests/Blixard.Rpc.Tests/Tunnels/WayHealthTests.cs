using Blixard.Rpc.Tunnels;
using Iroh.Cryptography;

namespace Blixard.Rpc.Tests.Tunnels;

public sealed class WayHealthTests
{
    private static readonly TunnelTiming s_timing = new();
    private readonly WayHealth _way = new(s_timing, default);

    [Fact]
    public void A_way_that_brings_something_often_enough_is_never_asked()
    {
        for (int at = 0; at < 10_000; at += 240)
        {
            _way.OnHeard(At(at));
            Assert.Equal(At(at + 250), _way.NextTimeout);
            Assert.Equal(WayAction.None, _way.HandleTimeout(At(at + 249)));
        }
    }

    [Fact]
    public void A_quiet_way_is_asked_again_and_again_and_cut_after_its_limit()
    {
        foreach (int at in new[] { 250, 500, 750 })
        {
            Assert.Equal(At(at), _way.NextTimeout);
            Assert.Equal(WayAction.Pulse, _way.HandleTimeout(At(at)));
        }

        Assert.Equal(At(800), _way.NextTimeout);
        Assert.Equal(WayAction.None, _way.HandleTimeout(At(799)));
        Assert.Equal(WayAction.Cut, _way.HandleTimeout(At(800)));
        Assert.True(_way.IsDead);
        Assert.Equal(TimeSpan.MaxValue, _way.NextTimeout);
        Assert.Equal(WayAction.None, _way.OnSuspected(At(900)));
    }

    [Fact]
    public void An_answer_begins_the_silence_anew()
    {
        _way.HandleTimeout(At(250));
        _way.OnPulse(At(10), At(260));
        Assert.Equal((At(10), At(510)), (_way.RoundTripTime, _way.NextTimeout));
    }

    [Fact]
    public void A_far_peer_gets_three_round_trips_but_a_full_line_not_for_ever()
    {
        _way.OnPulse(At(400), At(500));
        Assert.Equal(At(1450), _way.Limit);
        _way.OnPulse(At(5_000), At(6_000));
        Assert.Equal(At(3250), _way.Limit);
        _way.OnPulse(At(1), At(6_100));
        Assert.Equal(s_timing.Silence, _way.Limit);
    }

    [Fact]
    public void A_suspicion_is_asked_about_at_once_but_once()
    {
        Assert.Equal(WayAction.Pulse, _way.OnSuspected(At(100)));
        Assert.Equal(WayAction.None, _way.OnSuspected(At(110)));
        Assert.Equal(At(350), _way.NextTimeout);
    }

    [Fact]
    public void A_process_that_stood_still_measures_the_silence_anew_but_not_for_ever()
    {
        TimeSpan now = default;
        for (int stall = 0; stall < 4; stall++)
        {
            now += At(2_000);
            Assert.Equal(WayAction.Pulse, _way.HandleTimeout(now));
        }

        Assert.Equal(WayAction.Cut, _way.HandleTimeout(now + At(2_000)));
    }

    [Fact]
    public void Whatever_comes_a_way_is_cut_after_its_limit_of_silence_and_never_before()
    {
        for (ulong seed = 0; seed < 300; seed++)
        {
            var random = new SeededRandomSource(seed);
            var way = new WayHealth(s_timing, default);
            TimeSpan now = default, heard = default, diesAt = At(random.NextBelow(20_000));
            // Until it dies it brings something at least each 700 ms; the timer comes up to 50 ms late.
            TimeSpan nextHeard = At(random.NextBelow(700));
            while (!way.IsDead)
            {
                TimeSpan timer = way.NextTimeout + At(random.NextBelow(50));
                bool isAlive = nextHeard < diesAt;
                now = isAlive && nextHeard < timer ? nextHeard : timer;
                if (isAlive && now == nextHeard)
                {
                    way.OnHeard(heard = now);
                    nextHeard += At(1 + random.NextBelow(700));
                    continue;
                }

                WayAction action = way.HandleTimeout(now);
                Assert.True(action == (way.IsDead ? WayAction.Cut : WayAction.Pulse), $"seed {seed}: {action} at {now}");
                Assert.True(now - heard <= s_timing.Silence + At(50), $"seed {seed}: silent since {heard}, alive at {now}");
            }

            Assert.True(now - heard >= s_timing.Silence && nextHeard >= diesAt, $"seed {seed}: cut at {now}, heard at {heard}, died at {diesAt}");
        }
    }

    private static TimeSpan At(double milliseconds) => TimeSpan.FromMilliseconds(milliseconds);
}
