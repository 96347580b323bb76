using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Client;
using Iroh.Relay.Protocol;

namespace Iroh.Relay.Tests.Client;

/// <summary>The rules of when to dial, ping and give up, in virtual time.</summary>
public sealed class RelaySessionTests
{
    private static readonly TimeSpan s_connectTimeout = TimeSpan.FromSeconds(10);

    private readonly RelaySession _session = new(new SeededRandomSource(5), s_connectTimeout);
    private Instant _now = new(1_000_000_000);

    [Fact]
    public void A_ping_goes_out_at_once_and_again_15_s_after_the_last_message()
    {
        (int attempt, ulong ping) = Connect();
        Advance(0.1);
        Pong(attempt, ping);
        Assert.Equal(TimeSpan.FromSeconds(0.1), _session.RoundTripTime);
        Advance(10);
        _session.OnReceived(_now, attempt);
        Assert.Equal(_now + TimeSpan.FromSeconds(15), _session.NextTimeout);
        Advance(14.9);
        Assert.Empty(Actions());
        Advance(0.1);
        Assert.Equal(RelayActionKind.Ping, Assert.Single(Actions()).Kind);
    }

    [Fact]
    public void A_relay_that_never_answers_a_ping_is_left_after_5_s()
    {
        (int attempt, _) = Connect();
        Advance(4.9);
        Assert.Empty(Actions());
        Advance(0.1);
        Assert.Contains(new RelayAction(RelayActionKind.Abandon, attempt), Actions());
        Assert.Equal(RelayState.Connecting, _session.State);
        Assert.Contains("never answered a ping", _session.LastError);
    }

    [Theory]
    [InlineData(0.001, 0.5)]
    [InlineData(0.3, 0.9)]
    [InlineData(3, 5)]
    public void Later_pongs_have_three_round_trip_times_between_half_a_second_and_five(double rtt, double timeout)
    {
        (int attempt, ulong ping) = Connect();
        Advance(rtt);
        Pong(attempt, ping);
        Advance(15);
        RelayAction second = Assert.Single(Actions());
        Assert.Equal(RelayActionKind.Ping, second.Kind);
        Assert.Equal(_now + TimeSpan.FromSeconds(timeout), _session.NextTimeout);
        Advance(timeout);
        Assert.Contains(new RelayAction(RelayActionKind.Abandon, attempt), Actions());
    }

    [Fact]
    public void Anything_received_shows_that_a_connection_lives_though_its_pong_is_late()
    {
        (int attempt, _) = Connect();
        for (int i = 0; i < 4; i++)
        {
            Advance(4);
            _session.OnReceived(_now, attempt);
        }

        Assert.Empty(Actions());
        Advance(5);
        Assert.Contains(new RelayAction(RelayActionKind.Abandon, attempt), Actions());
    }

    [Fact]
    public void A_process_that_stood_still_reads_what_came_before_it_gives_up()
    {
        int attempt = ConnectWell();
        Advance(15);
        RelayAction ping = Assert.Single(Actions());
        _now += TimeSpan.FromSeconds(30);
        _session.HandleTimeout(_now);
        Assert.Empty(Actions());
        Advance(0.1);
        Pong(attempt, ping.PingData);
        Advance(10);
        Assert.Equal(RelayState.Connected, _session.State);

        Advance(5);
        Assert.Equal(RelayActionKind.Ping, Assert.Single(Actions()).Kind);
        _now += TimeSpan.FromSeconds(6);
        _session.HandleTimeout(_now);
        Assert.Empty(Actions());
        Advance(0.5);
        Assert.Contains(new RelayAction(RelayActionKind.Abandon, attempt), Actions());
    }

    [Fact]
    public void A_silent_relay_is_found_out_within_2_s_of_traffic()
    {
        int attempt = ConnectWell();
        Advance(7);
        Instant began = _now;
        while (_session.State == RelayState.Connected)
        {
            _session.OnWriteStarted(_now, attempt, hasDatagrams: true);
            _session.OnWritten(attempt);
            Advance(0.02);
        }

        Assert.InRange(_now - began, TimeSpan.FromSeconds(0.9), TimeSpan.FromSeconds(2));
    }

    [Fact]
    public void One_way_traffic_causes_at_most_one_ping_a_second()
    {
        int attempt = ConnectWell();
        int pings = 0;
        for (int i = 0; i < 100; i++)
        {
            _session.OnWriteStarted(_now, attempt, hasDatagrams: true);
            _session.OnWritten(attempt);
            Advance(0.1);
            foreach (RelayAction action in Actions())
            {
                Assert.Equal(RelayActionKind.Ping, action.Kind);
                pings++;
                Pong(attempt, action.PingData);
            }
        }

        Assert.InRange(pings, 8, 11);
    }

    [Fact]
    public void Pings_and_pongs_alone_do_not_ask_for_an_answer()
    {
        int attempt = ConnectWell();
        _session.OnWriteStarted(_now, attempt, hasDatagrams: false);
        _session.OnWritten(attempt);
        Advance(10);
        Assert.Empty(Actions());
    }

    [Fact]
    public void A_write_that_the_network_does_not_take_ends_the_connection_after_15_s()
    {
        int attempt = ConnectWell();
        _session.OnWriteStarted(_now, attempt, hasDatagrams: false);
        for (int i = 0; i < 14; i++)
        {
            Advance(1);
            _session.OnReceived(_now, attempt);
        }

        Assert.Empty(Actions());
        Advance(1);
        Assert.Contains(new RelayAction(RelayActionKind.Abandon, attempt), Actions());
        Assert.Contains("takes no data", _session.LastError);
    }

    [Fact]
    public void A_good_connection_that_drops_is_dialled_again_at_once()
    {
        int attempt = ConnectWell();
        _session.OnLost(_now, attempt, "cut");
        Assert.Equal(
            [RelayActionKind.Abandon, RelayActionKind.Notify, RelayActionKind.Dial],
            Actions().Select(action => action.Kind));
        Assert.Equal("cut", _session.LastError);
    }

    [Fact]
    public void Pauses_double_from_10_ms_to_16_s_with_jitter()
    {
        _session.Start(_now);
        int attempt = Assert.Single(Actions()).Attempt;
        double expected = 0.01;
        for (int i = 0; i < 20; i++)
        {
            _session.OnDialFailed(_now, attempt, RelayFailure.Unreachable, "no");
            (attempt, TimeSpan pause) = UntilDial();
            Assert.InRange(pause.TotalSeconds, expected / 2, Math.Min(expected * 1.5, 16));
            expected = Math.Min(expected * 2, 16);
        }
    }

    [Fact]
    public void A_relay_that_lets_in_and_throws_out_is_not_dialled_in_a_tight_loop()
    {
        (int attempt, ulong ping) = Connect();
        int dials = 1;
        Instant end = _now + TimeSpan.FromSeconds(10);
        while (_now < end)
        {
            Pong(attempt, ping);
            _session.OnLost(_now, attempt, "thrown out");
            (attempt, _) = UntilDial();
            dials++;
            _session.OnConnected(_now, attempt);
            ping = Assert.Single(Actions(), action => action.Kind == RelayActionKind.Ping).PingData;
        }

        Assert.InRange(dials, 5, 20);
    }

    [Fact]
    public void A_denied_client_asks_seldom_and_keeps_the_reason()
    {
        _session.Start(_now);
        int attempt = Assert.Single(Actions()).Attempt;
        int dials = 1;
        for (Instant end = _now + TimeSpan.FromMinutes(30); _now < end; dials++)
        {
            _session.OnDialFailed(_now, attempt, RelayFailure.Denied, "not on the list");
            Assert.Equal((RelayState.Denied, "not on the list"), (_session.State, _session.LastError));
            (attempt, TimeSpan pause) = UntilDial();
            Assert.True(pause >= TimeSpan.FromSeconds(5));
            Assert.Equal(RelayState.Denied, _session.State);
        }

        Assert.InRange(dials, 8, 20);
    }

    [Fact]
    public void A_restarting_relay_is_dialled_when_it_says_and_gently_after_that()
    {
        int attempt = ConnectWell();
        _session.OnRestarting(attempt, TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(20));
        Advance(1);
        Assert.Empty(Actions());
        _session.OnLost(_now, attempt, "closed");
        (attempt, TimeSpan pause) = UntilDial();
        Assert.Equal(TimeSpan.FromSeconds(3), pause);
        int dials = 0;
        for (Instant end = _now + TimeSpan.FromSeconds(15); _now < end; dials++)
        {
            _session.OnDialFailed(_now, attempt, RelayFailure.Unreachable, "not yet");
            (attempt, _) = UntilDial();
        }

        Assert.InRange(dials, 20, 60);
    }

    [Fact]
    public void No_relay_can_send_a_client_away_for_longer_than_a_minute()
    {
        int attempt = ConnectWell();
        _session.OnRestarting(attempt, TimeSpan.FromDays(49), TimeSpan.FromDays(49));
        _session.OnLost(_now, attempt, "closed");
        Assert.Equal(TimeSpan.FromMinutes(1), UntilDial().Pause);
    }

    [Fact]
    public void A_dial_that_hangs_is_abandoned()
    {
        _session.Start(_now);
        int attempt = Assert.Single(Actions()).Attempt;
        Advance(12);
        Assert.Contains(new RelayAction(RelayActionKind.Abandon, attempt), Actions());
        Assert.NotEqual(Instant.Never, _session.NextTimeout);
        Advance(1);
        Assert.Contains(Actions(), action => action.Kind == RelayActionKind.Dial);
        _session.OnConnected(_now, attempt);
        Assert.Equal(RelayState.Connecting, _session.State);
    }

    [Fact]
    public void What_waits_for_a_connection_is_dropped_after_3_s()
    {
        _session.Start(_now);
        Advance(1);
        _session.OnQueued(_now);
        Advance(2);
        _session.OnQueued(_now);
        Actions();
        Advance(0.9);
        Assert.Empty(Actions());
        Advance(0.1);
        Assert.Equal(RelayActionKind.DropQueued, Assert.Single(Actions()).Kind);
        Assert.Equal(_now + TimeSpan.FromSeconds(8), _session.NextTimeout);
    }

    [Fact]
    public void A_change_of_network_asks_the_relay_and_cuts_pauses_short()
    {
        int attempt = ConnectWell();
        _session.OnNetworkChange(_now, isAddressGone: false);
        Assert.Equal(RelayActionKind.Ping, Assert.Single(Actions()).Kind);
        _session.OnNetworkChange(_now, isAddressGone: true);
        int second = Assert.Single(Actions(), action => action.Kind == RelayActionKind.Dial).Attempt;
        Assert.NotEqual(attempt, second);
        _session.OnDialFailed(_now, second, RelayFailure.Unreachable, "no");
        Actions();
        _session.OnNetworkChange(_now, isAddressGone: false);
        Assert.Contains(Actions(), action => action.Kind == RelayActionKind.Dial);
    }

    [Fact]
    public void A_change_of_network_does_not_make_a_denied_client_ask_again()
    {
        _session.Start(_now);
        _session.OnDialFailed(_now, Assert.Single(Actions()).Attempt, RelayFailure.Denied, "no");
        Actions();
        _session.OnNetworkChange(_now, isAddressGone: false);
        Assert.Empty(Actions());
    }

    [Fact]
    public void Health_is_told_when_it_changes_and_forgotten_with_the_connection()
    {
        int attempt = ConnectWell();
        _session.OnHealth(attempt, RelayStatus.SameEndpointIdConnected, null);
        _session.OnHealth(attempt, RelayStatus.SameEndpointIdConnected, null);
        Assert.Equal(RelayActionKind.Notify, Assert.Single(Actions()).Kind);
        Assert.Equal(RelayStatus.SameEndpointIdConnected, _session.Health);
        _session.OnLost(_now, attempt, "cut");
        int second = Assert.Single(Actions(), action => action.Kind == RelayActionKind.Dial).Attempt;
        _session.OnConnected(_now, second);
        Assert.Equal(RelayStatus.Healthy, _session.Health);
    }

    [Fact]
    public void A_closed_session_does_nothing_more()
    {
        int attempt = ConnectWell();
        _session.Close();
        Assert.Contains(new RelayAction(RelayActionKind.Abandon, attempt), Actions());
        _session.OnLost(_now, attempt, "cut");
        _session.OnNetworkChange(_now, isAddressGone: true);
        _session.OnQueued(_now);
        Advance(100);
        Assert.Empty(Actions());
        Assert.Equal((RelayState.Closed, Instant.Never), (_session.State, _session.NextTimeout));
    }

    [Fact]
    public void Whatever_happens_there_is_always_a_next_step_and_never_two_connections()
    {
        for (ulong seed = 0; seed < 200; seed++)
            RunHistory(seed);
    }

    private static void RunHistory(ulong seed)
    {
        var random = new SeededRandomSource(seed);
        var session = new RelaySession(new SeededRandomSource(~seed), s_connectTimeout);
        var now = new Instant(0);
        int open = 0;
        int attempt = 0;
        session.Start(now);
        for (int step = 0; step < 300; step++)
        {
            while (session.TryGetAction(out RelayAction action))
            {
                if (action.Kind == RelayActionKind.Dial)
                {
                    Assert.True(++open == 1, $"seed {seed}, step {step}: a second connection");
                    attempt = action.Attempt;
                }
                else if (action.Kind == RelayActionKind.Abandon)
                {
                    Assert.True(--open == 0, $"seed {seed}, step {step}: nothing to abandon");
                }
            }

            Assert.True(session.NextTimeout - now <= TimeSpan.FromMinutes(8), $"seed {seed}, step {step}: stuck");
            int about = random.NextBelow(8) == 0 ? attempt - 1 : attempt;
            switch (random.NextBelow(12))
            {
                case 0: session.OnConnected(now, about); break;
                case 1: session.OnDialFailed(now, about, (RelayFailure)random.NextBelow(6), "failed"); break;
                case 2: session.OnLost(now, about, "lost"); break;
                case 3: session.OnReceived(now, about); break;
                case 4: session.OnPong(now, about, random.NextUInt64()); break;
                case 5: session.OnRestarting(about, TimeSpan.FromMilliseconds(random.NextBelow(1000)), TimeSpan.FromMilliseconds(random.NextBelow(1000))); break;
                case 6: session.OnWriteStarted(now, about, random.NextBelow(2) == 0); break;
                case 7: session.OnWritten(about); break;
                case 8: session.OnQueued(now); break;
                case 9: session.OnNetworkChange(now, random.NextBelow(4) == 0); break;
                default:
                    now = Instant.Max(now, session.NextTimeout);
                    session.HandleTimeout(now);
                    Assert.True(session.NextTimeout > now || session.NextTimeout == Instant.Never, $"seed {seed}, step {step}: it spins");
                    break;
            }
        }
    }

    private (int Attempt, ulong Ping) Connect()
    {
        _session.Start(_now);
        int attempt = Assert.Single(Actions()).Attempt;
        _session.OnConnected(_now, attempt);
        return (attempt, Assert.Single(Actions(), action => action.Kind == RelayActionKind.Ping).PingData);
    }

    // A connection that has lived long enough, with a round-trip time of 50 ms.
    private int ConnectWell()
    {
        (int attempt, ulong ping) = Connect();
        Advance(0.05);
        Pong(attempt, ping);
        Advance(10);
        _session.OnReceived(_now, attempt);
        Assert.Empty(Actions());
        return attempt;
    }

    private void Pong(int attempt, ulong data)
    {
        _session.OnReceived(_now, attempt);
        _session.OnPong(_now, attempt, data);
    }

    private List<RelayAction> Actions()
    {
        var actions = new List<RelayAction>();
        while (_session.TryGetAction(out RelayAction action))
            actions.Add(action);
        return actions;
    }

    // Moves the clock until the session dials.
    private (int Attempt, TimeSpan Pause) UntilDial()
    {
        Instant began = _now;
        while (true)
        {
            foreach (RelayAction action in Actions())
            {
                if (action.Kind == RelayActionKind.Dial)
                    return (action.Attempt, _now - began);
            }

            Assert.NotEqual(Instant.Never, _session.NextTimeout);
            _now = Instant.Max(_now, _session.NextTimeout);
            _session.HandleTimeout(_now);
        }
    }

    // Moves the clock, stopping wherever something is due.
    private void Advance(double seconds)
    {
        Instant end = _now + TimeSpan.FromSeconds(seconds);
        while (_session.NextTimeout <= end)
        {
            _now = Instant.Max(_now, _session.NextTimeout);
            _session.HandleTimeout(_now);
        }

        _now = end;
    }
}
