using Iroh.Base;
using Iroh.NetReport;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Tests.NetReport;

public class HomeRelayChoiceTests
{
    private static readonly RelayUrl s_a = RelayUrl.Parse("https://a.example"), s_b = RelayUrl.Parse("https://b.example"), s_c = RelayUrl.Parse("https://c.example");
    private static readonly Instant s_start = new(1_000_000_000_000);

    private readonly HomeRelayChoice _choice = new();
    private Instant _now = s_start;

    [Fact]
    public void The_only_relay_is_home_before_anything_was_measured()
    {
        Assert.True(_choice.SetRelays(_now, [s_a]));
        Assert.Equal(s_a, _choice.Home);
        Assert.Null(_choice.Advertised);
        Assert.Equal(Instant.Never, _choice.NextTimeout);
        Assert.True(_choice.OnConnected(_now, s_a));
        Assert.Equal(s_a, _choice.Advertised);
    }

    [Fact]
    public void The_first_of_several_that_answers_is_home_while_the_report_still_goes_on()
    {
        Assert.False(_choice.SetRelays(_now, [s_a, s_b]));
        Assert.Null(_choice.Home);
        Assert.False(_choice.OnReport(_now, [new RelayLatency(s_a), new RelayLatency(s_b)], isComplete: false));
        Assert.True(_choice.OnReport(_now, [new RelayLatency(s_a), Https(s_b, 80)], isComplete: false));
        Assert.Equal(s_b, _choice.Home);
        // A nearer one that answers later has its turn when the report ends.
        Assert.False(_choice.OnReport(_now, [Https(s_a, 10), Https(s_b, 80)], isComplete: false));
        Assert.True(_choice.OnReport(_now, [Https(s_a, 10), Https(s_b, 80)], isComplete: true));
        Assert.Equal(s_a, _choice.Home);
    }

    [Fact]
    public void A_relay_is_dialled_even_if_none_answers_probes()
    {
        _choice.SetRelays(_now, [s_a, s_b]);
        Assert.True(_choice.OnReport(_now, [new RelayLatency(s_a), new RelayLatency(s_b)], isComplete: true));
        Assert.Equal(s_a, _choice.Home);
    }

    [Fact]
    public void Home_is_left_only_for_a_relay_that_is_a_third_nearer()
    {
        AtHome(s_a, 30, s_b, 40);
        Report(Https(s_a, 30), Https(s_b, 21));
        Assert.Equal(s_a, _choice.Home);
        Report(Https(s_a, 30), Https(s_b, 20));
        Assert.Equal(s_b, _choice.Home);
        // Until the new one is connected, others are told the old one.
        Assert.Equal(s_a, _choice.Advertised);
        _choice.OnConnected(_now, s_b);
        Assert.Equal(s_b, _choice.Advertised);
    }

    [Fact]
    public void Latencies_count_for_five_minutes()
    {
        AtHome(s_a, 30, s_b, 40);
        Report(Https(s_a, 30), Https(s_b, 19));
        Assert.Equal(s_b, _choice.Home);
        _choice.OnConnected(_now, s_b);
        // One bad measurement of b's: its best of the last minutes keeps a away.
        Report(Https(s_a, 30), Https(s_b, 50));
        Assert.Equal(s_b, _choice.Home);
        _now += HomeRelayChoice.LatencyWindow + TimeSpan.FromSeconds(1);
        Report(Https(s_a, 30), Https(s_b, 50));
        Assert.Equal(s_a, _choice.Home);
    }

    [Fact]
    public void Udp_latencies_are_not_compared_with_those_of_requests()
    {
        // A request over HTTP to the nearer relay takes longer than a datagram to the farther one.
        AtHome(s_a, 60, s_b, 200);
        Report(Https(s_a, 60), new RelayLatency(s_b, V4: TimeSpan.FromMilliseconds(38), Https: TimeSpan.FromMilliseconds(200)));
        Assert.Equal(s_a, _choice.Home);
        Report(
            new RelayLatency(s_a, V4: TimeSpan.FromMilliseconds(20), Https: TimeSpan.FromMilliseconds(60)),
            new RelayLatency(s_b, V4: TimeSpan.FromMilliseconds(38), Https: TimeSpan.FromMilliseconds(200)));
        Assert.Equal(s_a, _choice.Home);
    }

    [Fact]
    public void A_connected_home_stays_although_a_probe_of_it_got_lost()
    {
        AtHome(s_a, 30, s_b, 40);
        Report(new RelayLatency(s_a), Https(s_b, 40));
        Assert.Equal(s_a, _choice.Home);
    }

    [Fact]
    public void A_lost_home_gives_way_to_the_next_at_once_and_is_not_told_once_that_is_connected()
    {
        AtHome(s_a, 30, s_b, 40);
        Assert.True(_choice.OnLost(_now, s_a));
        Assert.Equal(s_b, _choice.Home);
        // Nobody is connected: the one that was is the best guess.
        Assert.Equal(s_a, _choice.Advertised);
        Assert.True(_choice.OnConnected(_now, s_b));
        Assert.Equal(s_b, _choice.Advertised);
    }

    [Fact]
    public void A_relay_that_is_connected_already_is_the_next_home_and_told_at_once()
    {
        _choice.SetRelays(_now, [s_a, s_b, s_c]);
        Report(Https(s_a, 10), Https(s_b, 20), Https(s_c, 90));
        _choice.OnConnected(_now, s_a);
        _choice.OnConnected(_now, s_c);
        Assert.True(_choice.OnLost(_now, s_a));
        Assert.Equal((s_c, s_c), (_choice.Home, _choice.Advertised));
    }

    [Fact]
    public void A_home_that_does_not_connect_gives_way_after_two_seconds()
    {
        _choice.SetRelays(_now, [s_a, s_b]);
        Report(Https(s_a, 10), Https(s_b, 20));
        Assert.Equal(s_a, _choice.Home);
        Assert.Equal(_now + HomeRelayChoice.ConnectPatience, _choice.NextTimeout);
        Assert.False(_choice.HandleTimeout(_now));
        _now = _choice.NextTimeout;
        Assert.True(_choice.HandleTimeout(_now));
        Assert.Equal(s_b, _choice.Home);
        // Its answers to probes do not bring it back at once...
        Report(Https(s_a, 1), Https(s_b, 20));
        Assert.Equal(s_b, _choice.Home);
        // ...but after a pause they do.
        _now += TimeSpan.FromSeconds(5);
        Report(Https(s_a, 1), Https(s_b, 20));
        Assert.Equal(s_a, _choice.Home);
    }

    [Fact]
    public void The_pause_of_a_relay_that_keeps_failing_grows()
    {
        _choice.SetRelays(_now, [s_a, s_b]);
        Report(Https(s_a, 1), Https(s_b, 100));
        var pauses = new List<double>();
        for (int i = 0; i < 8; i++)
        {
            Assert.Equal(s_a, _choice.Home);
            _choice.OnLost(_now, s_a);
            Assert.Equal(s_b, _choice.Home);
            _choice.OnConnected(_now, s_b);
            Instant lost = _now;
            while (!s_a.Equals(_choice.Home))
            {
                _now += TimeSpan.FromSeconds(1);
                Report(Https(s_a, 1), Https(s_b, 100));
            }

            pauses.Add((_now - lost).TotalSeconds);
        }

        Assert.Equal([5, 10, 20, 40, 80, 160, 320, 600], pauses);
    }

    [Fact]
    public void A_single_relay_stays_home_whatever_happens_to_it()
    {
        _choice.SetRelays(_now, [s_a]);
        _choice.OnConnected(_now, s_a);
        Assert.False(_choice.OnLost(_now, s_a));
        Assert.Equal((s_a, s_a), (_choice.Home, _choice.Advertised));
    }

    [Fact]
    public void A_relay_that_refuses_is_chosen_last_and_not_told()
    {
        AtHome(s_a, 30, s_b, 40);
        Assert.True(_choice.OnRefused(_now, s_a));
        Assert.Equal(s_b, _choice.Home);
        Assert.Null(_choice.Advertised);
        _now += TimeSpan.FromMinutes(20);
        Report(Https(s_a, 1), Https(s_b, 40));
        Assert.Equal(s_b, _choice.Home);
        _choice.OnLost(_now, s_b);
        Assert.Equal(s_b, _choice.Home);
    }

    [Fact]
    public void A_relay_that_leaves_the_map_is_left()
    {
        AtHome(s_a, 30, s_b, 40);
        Assert.True(_choice.SetRelays(_now, [s_b, s_c]));
        Assert.Equal(s_b, _choice.Home);
        Assert.Null(_choice.Advertised);
        Assert.True(_choice.SetRelays(_now, []));
        Assert.Null(_choice.Home);
        Assert.False(_choice.OnLost(_now, s_a));
        Assert.False(_choice.OnConnected(_now, s_a));
    }

    [Fact]
    public void Random_histories_never_tell_a_dead_relay_while_another_lives()
    {
        RelayUrl[] all = [s_a, s_b, s_c];
        for (int seed = 1; seed <= 300; seed++)
        {
            var random = new Random(seed);
            var choice = new HomeRelayChoice();
            var connected = new HashSet<RelayUrl>();
            Instant now = s_start;
            choice.SetRelays(now, all);
            for (int step = 0; step < 200; step++)
            {
                now += TimeSpan.FromMilliseconds(random.Next(3000));
                RelayUrl relay = all[random.Next(3)];
                RelayUrl? before = choice.Home, told = choice.Advertised;
                bool changed;
                switch (random.Next(5))
                {
                    case 0:
                        connected.Add(relay);
                        changed = choice.OnConnected(now, relay);
                        break;
                    case 1:
                        connected.Remove(relay);
                        changed = choice.OnLost(now, relay);
                        break;
                    case 2 when random.Next(8) == 0:
                        connected.Remove(relay);
                        changed = choice.OnRefused(now, relay);
                        break;
                    case 3:
                        changed = choice.HandleTimeout(now);
                        Assert.True(choice.NextTimeout > now, $"seed {seed}, step {step}");
                        break;
                    default:
                        changed = choice.OnReport(
                            now, [.. all.Select(url => random.Next(4) == 0 ? new RelayLatency(url) : Https(url, random.Next(1, 200)))], random.Next(2) == 0);
                        break;
                }

                string where = $"seed {seed}, step {step}";
                Assert.True(changed == (!Equals(before, choice.Home) || !Equals(told, choice.Advertised)), where);
                if (connected.Count > 0)
                    Assert.True(choice.Advertised is { } advertised && connected.Contains(advertised), where);
                if (choice.Home is { } home && connected.Contains(home))
                    Assert.True(home.Equals(choice.Advertised), where);
            }
        }
    }

    private void AtHome(RelayUrl home, int milliseconds, RelayUrl other, int otherMilliseconds)
    {
        _choice.SetRelays(_now, [home, other]);
        Report(Https(home, milliseconds), Https(other, otherMilliseconds));
        Assert.Equal(home, _choice.Home);
        _choice.OnConnected(_now, home);
        Assert.Equal(home, _choice.Advertised);
    }

    private void Report(params RelayLatency[] latencies) => _choice.OnReport(_now, latencies, isComplete: true);

    private static RelayLatency Https(RelayUrl url, int milliseconds) => new(url, Https: TimeSpan.FromMilliseconds(milliseconds));
}
