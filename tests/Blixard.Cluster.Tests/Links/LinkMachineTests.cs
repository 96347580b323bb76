using Blixard.Cluster.Links;
using Iroh.Base;
using Iroh.Cryptography;

namespace Blixard.Cluster.Tests.Links;

public class LinkMachineTests
{
    private static readonly LinkTiming s_timing = new();
    private static readonly EndpointId s_small, s_large;

    static LinkMachineTests()
    {
        EndpointId[] ids = [.. Enumerable.Range(1, 2).Select(i => SecretKey.FromBytes([.. Enumerable.Repeat((byte)i, 32)]).PublicKey).Order()];
        (s_small, s_large) = (ids[0], ids[1]);
    }

    [Fact]
    public void A_new_member_is_dialled_at_once_and_used_when_connected()
    {
        LinkMachine link = Machine();
        Assert.Equal([new LinkAction.Dial()], link.OnMember(At(0)));
        Assert.Equal(LinkState.Dialling, link.State);
        Assert.Equal([new LinkAction.Use(1)], link.OnConnected(new(1, IsDialledHere: true, 7), At(0.1)));
        Assert.Equal((LinkState.Ready, "", 1L), (link.State, link.Reason, link.Connection));
    }

    [Fact]
    public void Failed_dials_are_repeated_with_growing_jittered_delays_up_to_the_limit()
    {
        LinkMachine link = Machine();
        link.OnMember(At(0));
        TimeSpan now = At(0);
        for (int failure = 0; failure < 15; failure++)
        {
            link.OnDialFailed("refused", now);
            TimeSpan delay = link.NextTimeout - now;
            double full = Math.Min(0.1 * Math.Pow(2, failure), 1);
            Assert.InRange(delay.TotalSeconds, full / 2, full);
            Assert.Empty(link.HandleTimeout(link.NextTimeout - TimeSpan.FromTicks(1)));
            now = link.NextTimeout;
            Assert.Equal([new LinkAction.Dial()], link.HandleTimeout(now));
            Assert.Equal("refused", link.Reason);
        }
    }

    [Fact]
    public void A_changed_address_is_dialled_without_waiting()
    {
        LinkMachine link = Machine();
        link.OnMember(At(0));
        link.OnDialFailed("timed out", At(1));
        Assert.Equal([new LinkAction.Dial()], link.OnMember(At(1.001)));
    }

    [Fact]
    public void A_broken_link_is_dialled_again()
    {
        LinkMachine link = Ready(Machine());
        link.OnClosed(1, "reset", At(1));
        Assert.Equal((LinkState.BackingOff, "reset"), (link.State, link.Reason));
        Assert.Equal([new LinkAction.Dial()], link.HandleTimeout(link.NextTimeout));
    }

    [Fact]
    public void A_peer_that_closes_each_connection_at_once_is_dialled_ever_less_often_until_a_link_lasts()
    {
        LinkMachine link = Machine();
        link.OnMember(At(0));
        TimeSpan now = At(0);
        for (int failure = 0; failure < 420; failure++)
        {
            link.OnConnected(new(failure, IsDialledHere: true, 7), now);
            link.OnPong(failure, TimeSpan.FromMilliseconds(1), now);
            link.OnClosed(failure, "another running node has the same key", now);
            double full = Math.Min(0.1 * Math.Pow(2, failure), now < s_timing.EagerFor ? 1 : 30);
            Assert.InRange((link.NextTimeout - now).TotalSeconds, full / 2, full);
            now = link.NextTimeout;
            link.HandleTimeout(now);
        }

        Assert.True(now > s_timing.EagerFor + s_timing.BackoffMax);
        link.OnConnected(new(9_999, IsDialledHere: true, 7), now);
        now += s_timing.Settled;
        link.OnClosed(9_999, "reset", now);
        Assert.InRange((link.NextTimeout - now).TotalSeconds, 0.05, 0.1);
    }

    [Fact]
    public void A_peer_that_stays_away_is_looked_for_eagerly_for_minutes_and_then_now_and_then()
    {
        LinkMachine link = Machine();
        link.OnMember(At(0));
        TimeSpan now = At(0), longest = default;
        for (int failure = 0; now < s_timing.EagerFor + TimeSpan.FromMinutes(5); failure++)
        {
            Assert.Equal(failure % 3 == 2 ? s_timing.PatientDialLimit : s_timing.DialLimit, link.DialLimit);
            now += link.DialLimit;
            link.OnDialFailed("no answer in time", now);
            TimeSpan delay = link.NextTimeout - now;
            if (now < s_timing.EagerFor)
                Assert.True(delay <= s_timing.EagerBackoffMax, $"{delay} at {now}");
            else
                longest = delay > longest ? delay : longest;
            now = link.NextTimeout;
            link.HandleTimeout(now);
        }

        Assert.InRange(longest, s_timing.BackoffMax / 2, s_timing.BackoffMax);
    }

    [Fact]
    public void An_overdue_pong_makes_pings_faster_and_two_seconds_of_silence_break_the_link()
    {
        LinkMachine link = Ready(Machine());
        Assert.Empty(link.OnPong(1, TimeSpan.FromMilliseconds(3), At(2)));
        Assert.Equal(TimeSpan.FromMilliseconds(3), link.RoundTripTime);
        foreach (double at in new[] { 3.5, 3.75 })
        {
            Assert.Equal(At(at), link.NextTimeout);
            Assert.Empty(link.HandleTimeout(At(at) - TimeSpan.FromTicks(1)));
            Assert.Equal([new LinkAction.Probe(1)], link.HandleTimeout(At(at)));
        }

        Assert.Equal(At(4), link.NextTimeout);
        Assert.Equal([new LinkAction.Close(1, LinkCloseCode.Unresponsive, "pings went unanswered")], link.HandleTimeout(At(4)));
        Assert.Equal((LinkState.BackingOff, "no answer to pings for 2 s"), (link.State, link.Reason));
    }

    [Fact]
    public void A_pong_that_comes_after_all_ends_the_hurry()
    {
        LinkMachine link = Ready(Machine());
        link.HandleTimeout(At(1.5));
        link.OnPong(1, TimeSpan.FromMilliseconds(700), At(1.7));
        // Four round trips of patience from now on.
        Assert.Equal(At(1.7 + 1 + 2.8), link.NextTimeout);
        link.HandleTimeout(link.NextTimeout);
        Assert.Equal(LinkState.Ready, link.State);
    }

    [Fact]
    public void A_suspicion_is_asked_about_at_once_and_confirmed_within_a_second()
    {
        LinkMachine link = Ready(Machine());
        link.OnPong(1, TimeSpan.FromMilliseconds(3), At(10));
        Assert.Equal([new LinkAction.Probe(1)], link.OnSuspected(At(10.2)));
        Assert.Empty(link.OnSuspected(At(10.3)));
        TimeSpan now = At(10.3);
        while (link.State == LinkState.Ready)
        {
            now = link.NextTimeout;
            link.HandleTimeout(now);
        }

        Assert.Equal(At(11.2), now);
        Assert.Empty(link.OnSuspected(At(12)));
    }

    [Fact]
    public void A_suspicion_that_a_pong_refutes_changes_nothing()
    {
        LinkMachine link = Ready(Machine());
        link.OnSuspected(At(0.5));
        link.OnPong(1, TimeSpan.FromMilliseconds(3), At(0.625));
        Assert.Equal(At(2.125), link.NextTimeout);
    }

    [Fact]
    public void A_process_that_stood_still_measures_the_silence_anew_but_not_for_ever()
    {
        LinkMachine link = Ready(Machine());
        TimeSpan now = At(0);
        for (int stall = 0; stall < 4; stall++)
        {
            now += TimeSpan.FromSeconds(30);
            Assert.Equal([new LinkAction.Probe(1)], link.HandleTimeout(now));
        }

        now += TimeSpan.FromSeconds(30);
        Assert.IsType<LinkAction.Close>(Assert.Single(link.HandleTimeout(now)));
    }

    [Fact]
    public void A_peer_that_left_is_closed_and_turned_away()
    {
        LinkMachine link = Ready(Machine());
        Assert.Equal(LinkCloseCode.NotMember, Assert.IsType<LinkAction.Close>(Assert.Single(link.OnNotMember())).Code);
        Assert.Equal(TimeSpan.MaxValue, link.NextTimeout);
        LinkAction.Close close = Assert.IsType<LinkAction.Close>(Assert.Single(link.OnConnected(new(2, IsDialledHere: false, 7), At(1))));
        Assert.Equal((2, LinkCloseCode.NotMember), (close.Connection, close.Code));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Of_two_simultaneous_dials_both_ends_keep_the_one_dialled_by_the_smaller_id(bool smallFirst)
    {
        // Connection 1 was dialled by the small id, 2 by the large one; they arrive in either order.
        foreach (EndpointId self in new[] { s_small, s_large })
        {
            LinkMachine link = Machine(self);
            link.OnMember(At(0));
            bool isSmall = self == s_small;
            LinkConnection one = new(1, IsDialledHere: isSmall, 7), two = new(2, IsDialledHere: !isSmall, 7);
            link.OnConnected(smallFirst ? one : two, At(0.1));
            IReadOnlyList<LinkAction> actions = link.OnConnected(smallFirst ? two : one, At(0.2));
            if (smallFirst)
            {
                Assert.Equal([new LinkAction.Probe(1)], actions);
                actions = link.OnPong(1, TimeSpan.FromMilliseconds(1), At(0.3));
            }

            Assert.Equal(1, link.Connection);
            Assert.Equal((2L, LinkCloseCode.Superseded), actions.OfType<LinkAction.Close>().Select(close => (close.Connection, close.Code)).Single());
        }
    }

    [Fact]
    public void A_peer_that_dials_again_has_lost_the_first_connection() =>
        Assert.Equal(
            [new LinkAction.Use(2), new LinkAction.Close(1, LinkCloseCode.Superseded, "another connection is kept")],
            Ready(Machine()).OnConnected(new(2, IsDialledHere: true, 7), At(1)));

    [Fact]
    public void A_restarted_peer_takes_the_place_of_the_connection_that_no_longer_answers()
    {
        LinkMachine link = Ready(Machine());
        link.OnPong(1, TimeSpan.FromMilliseconds(1), At(0.9));
        Assert.Equal([new LinkAction.Probe(1)], link.OnConnected(new(2, IsDialledHere: false, 8), At(1)));
        Assert.Equal(At(1) + s_timing.ContestLimit, link.NextTimeout);
        IReadOnlyList<LinkAction> actions = link.HandleTimeout(link.NextTimeout);
        Assert.Equal(2, link.Connection);
        Assert.Equal(1, actions.OfType<LinkAction.Close>().Single().Connection);
    }

    [Fact]
    public void A_second_process_with_the_same_key_is_turned_away_while_the_first_answers()
    {
        LinkMachine link = Ready(Machine());
        link.OnConnected(new(2, IsDialledHere: false, 8), At(1));
        LinkAction.Close close = Assert.IsType<LinkAction.Close>(Assert.Single(link.OnPong(1, TimeSpan.FromMilliseconds(1), At(1.1))));
        Assert.Equal((2, LinkCloseCode.DuplicateKey), (close.Connection, close.Code));
        Assert.Equal(1, link.Connection);
    }

    [Fact]
    public void When_the_current_connection_ends_during_a_contest_the_challenger_is_used()
    {
        LinkMachine link = Ready(Machine());
        link.OnConnected(new(2, IsDialledHere: false, 8), At(1));
        Assert.Equal([new LinkAction.Use(2)], link.OnClosed(1, "reset", At(1.1)));
    }

    [Fact]
    public void Two_machines_under_random_dials_losses_and_restarts_end_with_one_common_connection()
    {
        for (ulong seed = 0; seed < 600; seed++)
            new LinkSimulation(s_small, s_large, seed).Run();
    }

    private static LinkMachine Machine(EndpointId? self = null)
    {
        EndpointId id = self ?? s_small;
        return new LinkMachine(id, id == s_small ? s_large : s_small, new SeededRandomSource(1), s_timing);
    }

    private static LinkMachine Ready(LinkMachine link)
    {
        link.OnMember(At(0));
        link.OnConnected(new(1, IsDialledHere: true, 7), At(0));
        return link;
    }

    private static TimeSpan At(double seconds) => TimeSpan.FromSeconds(seconds);
}
