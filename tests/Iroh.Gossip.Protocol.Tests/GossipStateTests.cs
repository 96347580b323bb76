using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Gossip.Messages;

namespace Iroh.Gossip;

public class GossipStateTests
{
    private static readonly TopicId s_one = TopicId.FromName("one");
    private static readonly TopicId s_two = TopicId.FromName("two");
    private static readonly EndpointId s_self = Id(1);
    private static readonly EndpointId s_peer = Id(2);
    private static readonly TimeSpan s_now = TimeSpan.FromSeconds(1000);

    [Fact]
    public void Whoever_joins_is_accepted_and_answered_and_its_addresses_learnt()
    {
        GossipState state = Joined(s_one);
        var data = new PeerData([0, 0]);
        state.OnMessage(s_now, s_peer, s_one, new JoinMessage(data));
        Assert.Equal(
            [new LearnPeerData(s_peer, data), new RaiseEvent(s_one, new NeighborUp(s_peer)), new SendMessage(s_peer, s_one, new NeighborMessage(NeighborPriority.High, null))],
            Outputs(state));
        // The joining one answers once, and that is all.
        state.OnMessage(s_now, s_peer, s_one, new NeighborMessage(NeighborPriority.High, data));
        Assert.Empty(Outputs(state));
    }

    [Fact]
    public void Its_own_join_is_answered_once()
    {
        GossipState state = Joined(s_one, s_peer);
        Assert.Equal([new SendMessage(s_peer, s_one, new JoinMessage(null))], Outputs(state));
        state.OnMessage(s_now, s_peer, s_one, new NeighborMessage(NeighborPriority.High, null));
        Assert.Equal(
            [new RaiseEvent(s_one, new NeighborUp(s_peer)), new SendMessage(s_peer, s_one, new NeighborMessage(NeighborPriority.High, null))],
            Outputs(state));
    }

    [Fact]
    public void A_connection_that_serves_two_topics_is_closed_when_the_second_ends()
    {
        GossipState state = Joined(s_one);
        state.Join(s_now, s_two, []);
        state.OnMessage(s_now, s_peer, s_one, new JoinMessage(null));
        state.OnMessage(s_now, s_peer, s_two, new JoinMessage(null));
        Outputs(state);
        state.OnMessage(s_now, s_peer, s_one, new DisconnectMessage(IsAlive: false));
        Assert.DoesNotContain(Outputs(state), output => output is ClosePeer);
        state.Quit(s_two);
        List<GossipOutput> outputs = Outputs(state);
        Assert.Contains(new SendMessage(s_peer, s_two, new DisconnectMessage(IsAlive: false)), outputs);
        Assert.Equal(new ClosePeer(s_peer), outputs[^1]);
    }

    [Fact]
    public void A_full_view_refuses_who_can_wait_and_evicts_for_who_cannot()
    {
        GossipState state = Joined(s_one);
        for (byte i = 10; i < 15; i++)
            state.OnMessage(s_now, Id(i), s_one, new JoinMessage(null));
        Outputs(state);
        state.OnMessage(s_now, s_peer, s_one, new NeighborMessage(NeighborPriority.Low, null));
        List<GossipOutput> refused = Outputs(state);
        Assert.Contains(new SendMessage(s_peer, s_one, new DisconnectMessage(IsAlive: true)), refused);
        Assert.Equal(new ClosePeer(s_peer), refused[^1]);

        state.OnMessage(s_now, s_peer, s_one, new NeighborMessage(NeighborPriority.High, null));
        Assert.Equal(5, state.Neighbors(s_one).Count);
        Assert.Contains(s_peer, state.Neighbors(s_one));
        Assert.Contains(Outputs(state), output => output is RaiseEvent { Event: NeighborDown });
    }

    [Fact]
    public void A_message_is_delivered_once_and_its_second_deliverer_pruned()
    {
        GossipState state = Joined(s_one);
        state.OnMessage(s_now, s_peer, s_one, new JoinMessage(null));
        state.OnMessage(s_now, Id(3), s_one, new JoinMessage(null));
        Outputs(state);
        PayloadMessage message = Payload("hello", 3);
        state.OnMessage(s_now, s_peer, s_one, message);
        List<GossipOutput> outputs = Outputs(state);
        Assert.Contains(new SendMessage(Id(3), s_one, message with { Round = 4 }), outputs);
        MessageReceived received = Assert.Single(outputs.OfType<RaiseEvent>().Select(raised => raised.Event).OfType<MessageReceived>());
        Assert.Equal((GossipScope.Swarm, s_peer, 3), (received.Scope, received.DeliveredFrom, received.Round));

        state.OnMessage(s_now, Id(3), s_one, message);
        Assert.Equal([new SendMessage(Id(3), s_one, new PruneMessage())], Outputs(state));
        Assert.Equal([s_peer], state.EagerNeighbors(s_one));
    }

    [Fact]
    public void A_message_under_a_wrong_id_is_dropped_and_does_not_hide_the_right_one()
    {
        GossipState state = Joined(s_one);
        state.OnMessage(s_now, s_peer, s_one, new JoinMessage(null));
        Outputs(state);
        PayloadMessage right = Payload("right", 0);
        state.OnMessage(s_now, s_peer, s_one, right with { Content = "wrong"u8.ToArray() });
        Assert.Empty(Outputs(state));
        state.OnMessage(s_now, s_peer, s_one, right);
        Assert.Contains(Outputs(state), output => output is RaiseEvent { Event: MessageReceived });
    }

    [Fact]
    public void An_announced_message_that_does_not_come_is_asked_for_from_one_after_the_other()
    {
        GossipState state = Joined(s_one);
        state.OnMessage(s_now, s_peer, s_one, new JoinMessage(null));
        state.OnMessage(s_now, Id(3), s_one, new JoinMessage(null));
        Outputs(state);
        MessageId id = MessageId.OfContent("missing"u8);
        state.OnMessage(s_now, s_peer, s_one, new AnnouncementMessage([new MessageNotice(id, 2)]));
        state.OnMessage(s_now, Id(3), s_one, new AnnouncementMessage([new MessageNotice(id, 4)]));
        state.OnTimeout(s_now + TimeSpan.FromMilliseconds(79));
        Assert.DoesNotContain(Outputs(state), output => output is SendMessage { Message: GraftMessage });
        state.OnTimeout(s_now + TimeSpan.FromMilliseconds(80));
        Assert.Equal([new SendMessage(s_peer, s_one, new GraftMessage(id, 2))], Outputs(state).Where(output => output is SendMessage { Message: GraftMessage }));
        state.OnTimeout(s_now + TimeSpan.FromMilliseconds(120));
        Assert.Equal([new SendMessage(Id(3), s_one, new GraftMessage(id, 4))], Outputs(state).Where(output => output is SendMessage { Message: GraftMessage }));
        state.OnMessage(s_now + TimeSpan.FromMilliseconds(130), Id(3), s_one, Payload("missing", 4));
        Outputs(state);
        state.OnTimeout(s_now + TimeSpan.FromSeconds(5));
        Assert.DoesNotContain(Outputs(state), output => output is SendMessage { Message: GraftMessage });
    }

    [Fact]
    public void An_answer_that_comes_too_late_is_not_answered_for_ever()
    {
        GossipState one = Joined(s_one, s_peer);
        var other = new GossipState(s_peer, new GossipConfiguration(), new SeededRandomSource(8));
        other.Join(s_now, s_one, []);
        Outputs(one);
        // Both give their requests up meanwhile.
        other.OnMessage(s_now, s_self, s_one, new JoinMessage(null));
        TimeSpan now = s_now + TimeSpan.FromMilliseconds(1200);
        other.OnTimeout(now);
        one.OnTimeout(now);
        Outputs(one);
        (GossipState At, EndpointId Id) from = (other, s_peer), to = (one, s_self);
        int exchanged = 0;
        while (Outputs(from.At).OfType<SendMessage>().Select(send => send.Message).OfType<NeighborMessage>().FirstOrDefault() is { } message)
        {
            Assert.True(++exchanged < 10, "they go on answering each other");
            to.At.OnMessage(now, from.Id, s_one, message);
            (from, to) = (to, from);
        }

        Assert.Equal([s_peer], one.Neighbors(s_one));
        Assert.Equal([s_self], other.Neighbors(s_one));
    }

    [Fact]
    public void A_first_neighbor_is_asked_for_others_at_once_and_they_become_neighbors()
    {
        GossipState state = Joined(s_one, s_peer);
        state.OnMessage(s_now, s_peer, s_one, new NeighborMessage(NeighborPriority.High, null));
        Outputs(state);
        state.OnTimeout(s_now + TimeSpan.FromMilliseconds(150));
        Assert.Contains(Outputs(state), output => output is SendMessage { Message: ShuffleMessage { TimeToLive: 0 } } send && send.Peer == s_peer);
        state.OnMessage(s_now + TimeSpan.FromMilliseconds(200), s_peer, s_one, new ShuffleReplyMessage([new PeerInfo(Id(3), null)]));
        Assert.Equal([new SendMessage(Id(3), s_one, new NeighborMessage(NeighborPriority.Low, null))], Outputs(state));
    }

    [Fact]
    public void A_neighbor_that_gives_no_sign_of_life_after_another_was_lost_is_given_up_and_one_that_gives_it_is_kept()
    {
        GossipState state = Joined(s_one);
        state.OnMessage(s_now, s_peer, s_one, new JoinMessage(null));
        state.OnMessage(s_now, Id(3), s_one, new JoinMessage(null));
        state.OnMessage(s_now, Id(4), s_one, new JoinMessage(null));
        state.OnPeerDisconnected(s_now, Id(4));
        HashSet<EndpointId> silent = [];
        TimeSpan now = s_now;
        for (; now < s_now + TimeSpan.FromSeconds(20); now += TimeSpan.FromMilliseconds(50))
        {
            state.OnTimeout(now);
            List<GossipOutput> outputs = Outputs(state);
            if (outputs.Any(output => output is SendMessage { Message: ShuffleMessage { TimeToLive: 0 } } send && send.Peer == Id(3)))
                state.OnMessage(now, Id(3), s_one, new ShuffleReplyMessage([]));
            if (outputs.Any(output => output is ClosePeer))
                silent.UnionWith(outputs.OfType<ClosePeer>().Select(closed => closed.Peer));
        }

        Assert.Equal([Id(3)], state.Neighbors(s_one));
        Assert.Contains(s_peer, silent);
        Assert.DoesNotContain(Id(3), silent);
    }

    [Fact]
    public void What_does_not_exist_is_not_asked_for_for_ever()
    {
        GossipState state = Joined(s_one);
        state.OnMessage(s_now, s_peer, s_one, new JoinMessage(null));
        for (int i = 0; i < 5000; i++)
            state.OnMessage(s_now, s_peer, s_one, new AnnouncementMessage([new MessageNotice(MessageId.OfContent(BitConverter.GetBytes(i)), 0)]));
        Assert.Equal(Broadcast.MissingMessages.Capacity, state.Find(s_one)!.Broadcast.Sizes.Missing);
        for (TimeSpan now = s_now; now < s_now + TimeSpan.FromSeconds(3); now += TimeSpan.FromMilliseconds(20))
            state.OnTimeout(now);
        Assert.Equal(0, state.Find(s_one)!.Broadcast.Sizes.Missing);
        Assert.Equal(Broadcast.MissingMessages.Capacity * Broadcast.MissingMessages.PassesMax, Outputs(state).Count(output => output is SendMessage { Message: GraftMessage }));
    }

    [Fact]
    public void A_stranger_that_takes_this_node_for_its_neighbor_is_told_once()
    {
        GossipState state = Joined(s_one);
        state.OnMessage(s_now, s_peer, s_one, Payload("first", 0));
        Assert.Equal(
            [new RaiseEvent(s_one, new MessageReceived("first"u8.ToArray(), GossipScope.Swarm, s_peer, 0)), new SendMessage(s_peer, s_one, new DisconnectMessage(IsAlive: true)), new ClosePeer(s_peer)],
            Outputs(state),
            (expected, actual) => expected.ToString() == actual.ToString());
        state.OnMessage(s_now, s_peer, s_one, Payload("second", 0));
        Assert.DoesNotContain(Outputs(state), output => output is SendMessage);
    }

    [Fact]
    public void A_content_that_is_too_long_is_refused_with_words_and_the_longest_fits_its_frame()
    {
        var configuration = new GossipConfiguration();
        GossipState state = Joined(s_one);
        ArgumentException exception = Assert.Throws<ArgumentException>(() => state.Broadcast(s_now, s_one, new byte[configuration.ContentLengthMax + 1], GossipScope.Swarm));
        Assert.Contains($"at most {configuration.ContentLengthMax} bytes", exception.Message);
        PayloadMessage longest = Payload(new string('x', configuration.ContentLengthMax), ushort.MaxValue);
        Assert.InRange(TopicMessageCodec.Encode(longest).Length, configuration.MessageSizeMax - 2, configuration.MessageSizeMax - 1);
    }

    [Fact]
    public void Whoever_may_not_take_part_gets_nothing_and_is_sent_away_when_that_changes()
    {
        var forbidden = new HashSet<EndpointId> { Id(3) };
        var state = new GossipState(s_self, new GossipConfiguration(), new SeededRandomSource(7), (_, peer) => !forbidden.Contains(peer));
        state.Join(s_now, s_one, [Id(3)]);
        Assert.Empty(Outputs(state));
        state.OnMessage(s_now, Id(3), s_one, new JoinMessage(null));
        Assert.Equal([new SendMessage(Id(3), s_one, new DisconnectMessage(IsAlive: false)), new ClosePeer(Id(3))], Outputs(state));
        state.OnMessage(s_now, Id(3), s_one, Payload("from outside", 0));
        Assert.Empty(Outputs(state));

        state.OnMessage(s_now, s_peer, s_one, new JoinMessage(null));
        state.OnMessage(s_now, s_peer, s_one, new ForwardJoinMessage(new PeerInfo(Id(3), null), 0));
        state.OnMessage(s_now, s_peer, s_one, new ShuffleReplyMessage([new PeerInfo(Id(3), null)]));
        Assert.DoesNotContain(Outputs(state), output => output is SendMessage send && send.Peer == Id(3));
        forbidden.Add(s_peer);
        Assert.True(state.Broadcast(s_now, s_one, "secret"u8.ToArray(), GossipScope.Swarm));
        Assert.Equal(
            [new RaiseEvent(s_one, new NeighborDown(s_peer)), new SendMessage(s_peer, s_one, new DisconnectMessage(IsAlive: false)), new ClosePeer(s_peer)],
            Outputs(state));
    }

    [Fact]
    public void A_walk_is_never_longer_than_its_own_whatever_the_wire_says()
    {
        GossipState state = Joined(s_one);
        for (byte i = 10; i < 13; i++)
            state.OnMessage(s_now, Id(i), s_one, new JoinMessage(null));
        Outputs(state);
        state.OnMessage(s_now, Id(10), s_one, new ForwardJoinMessage(new PeerInfo(s_peer, null), 65_535));
        state.OnMessage(s_now, Id(10), s_one, new ShuffleMessage(s_peer, [], 65_535));
        List<GossipOutput> outputs = Outputs(state);
        Assert.Contains(outputs, output => output is SendMessage { Message: ForwardJoinMessage { TimeToLive: 5 } });
        Assert.Contains(outputs, output => output is SendMessage { Message: ShuffleMessage { TimeToLive: 5 } });
    }

    private static GossipState Joined(TopicId topic, params IEnumerable<EndpointId> by)
    {
        var state = new GossipState(s_self, new GossipConfiguration(), new SeededRandomSource(7));
        state.Join(s_now, topic, by);
        return state;
    }

    private static List<GossipOutput> Outputs(GossipState state)
    {
        var outputs = new List<GossipOutput>();
        while (state.TryGetOutput(out GossipOutput? output))
            outputs.Add(output);
        return outputs;
    }

    private static PayloadMessage Payload(string text, int round)
    {
        byte[] content = System.Text.Encoding.UTF8.GetBytes(text);
        return new PayloadMessage(MessageId.OfContent(content), content, round);
    }

    private static EndpointId Id(byte seed) => SecretKey.FromBytes([.. Enumerable.Repeat(seed, 32)]).PublicKey;
}
