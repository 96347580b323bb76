using System.Diagnostics;
using Blixard.Testing.Basics;
using Iroh.Quic;

namespace Iroh.Gossip.Tests;

public class GossipProtocolTests
{
    private static readonly TopicId s_topic = TopicId.FromName("tests of gossip");
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(45);

    [Fact(Timeout = Patience.Test)]
    public async Task Two_that_know_each_other_talk_both_ways()
    {
        await using GossipNode first = await GossipNode.StartAsync(s_topic);
        await using GossipNode second = await GossipNode.StartAsync(s_topic, null, first);
        await Task.WhenAll(first.Topic.WaitJoinedAsync(), second.Topic.WaitJoinedAsync()).WaitAsync(s_patience);
        Assert.Equal([first.Id], second.Topic.Neighbors);
        await first.SayAsync("hello");
        MessageReceived received = await second.UntilHeardAsync("hello");
        Assert.Equal((first.Id, 0, GossipScope.Swarm), (received.DeliveredFrom, received.Round, received.Scope));
        await second.Topic.BroadcastToNeighborsAsync("to you"u8.ToArray());
        Assert.Equal(GossipScope.Neighbors, (await first.UntilHeardAsync("to you")).Scope);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Eight_that_know_one_hear_everything_once_also_when_that_one_dies()
    {
        await using GossipNode known = await GossipNode.StartAsync(s_topic);
        var others = new List<GossipNode>();
        try
        {
            for (int i = 0; i < 7; i++)
                others.Add(await GossipNode.StartAsync(s_topic, null, known));
            await Task.WhenAll(others.Select(node => node.Topic.WaitJoinedAsync())).WaitAsync(s_patience);
            await others[3].SayAsync("before");
            await Task.WhenAll(others.Where(node => node != others[3]).Append(known).Select(node => node.UntilHeardAsync("before")));

            await known.VanishAsync();
            // The others learn of each other by walks and addresses in them: nobody told them.
            foreach (GossipNode node in others)
                await UntilAsync(() => node.Topic.Neighbors.Any(neighbor => neighbor != known.Id), "another neighbor");
            foreach (GossipNode node in others)
                await node.SayAsync($"after, from {node.Id}");
            foreach (GossipNode node in others)
            {
                foreach (GossipNode author in others.Where(author => author != node))
                    await node.UntilHeardAsync($"after, from {author.Id}");
            }

            Assert.All(others.Where(node => node != others[3]), node => Assert.Equal(1, node.TimesHeard("before")));
            Assert.All(others, node => Assert.All(others.Where(author => author != node), author => Assert.Equal(1, node.TimesHeard($"after, from {author.Id}"))));
        }
        finally
        {
            await Task.WhenAll(others.Select(node => node.DisposeAsync().AsTask()));
        }
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Whoever_leaves_is_gone_at_once_and_may_come_back()
    {
        await using GossipNode first = await GossipNode.StartAsync(s_topic);
        await using GossipNode second = await GossipNode.StartAsync(s_topic, null, first);
        await second.UntilAsync(seen => seen is NeighborUp, "its neighbor");
        await second.Topic.DisposeAsync();
        await first.UntilAsync(seen => seen is NeighborDown, "the neighbor leave");
        await Assert.ThrowsAsync<ObjectDisposedException>(() => second.SayAsync("too late"));

        await using GossipTopic again = second.Gossip.Join(s_topic, [first.Id]);
        await again.WaitJoinedAsync().WaitAsync(s_patience);
        await again.BroadcastAsync("back"u8.ToArray());
        await first.UntilHeardAsync("back");
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_neighbor_whose_connection_breaks_is_none_any_more_although_nothing_is_sent_to_it()
    {
        await using GossipNode first = await GossipNode.StartAsync(s_topic);
        GossipNode second = await GossipNode.StartAsync(s_topic, null, first);
        await Task.WhenAll(first.Topic.WaitJoinedAsync(), second.Topic.WaitJoinedAsync()).WaitAsync(s_patience);
        await second.VanishAsync();
        await first.UntilAsync(seen => seen is NeighborDown, "the neighbor go");
        Assert.Empty(first.Topic.Neighbors);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Topics_share_a_connection_and_the_end_of_one_leaves_the_other()
    {
        TopicId other = TopicId.FromName("another topic");
        await using GossipNode first = await GossipNode.StartAsync(s_topic);
        await using GossipNode second = await GossipNode.StartAsync(s_topic, null, first);
        await using GossipTopic firstOther = first.Gossip.Join(other, []);
        await using GossipTopic secondOther = second.Gossip.Join(other, [first.Id]);
        await secondOther.WaitJoinedAsync().WaitAsync(s_patience);
        await second.Topic.WaitJoinedAsync().WaitAsync(s_patience);
        await second.Topic.DisposeAsync();
        await first.UntilAsync(seen => seen is NeighborDown, "the end of the first topic");
        await secondOther.BroadcastAsync("still here"u8.ToArray());
        await foreach (GossipEvent seen in firstOther.ReadEventsAsync())
        {
            Assert.IsNotType<NeighborDown>(seen);
            if (seen is MessageReceived)
                break;
        }
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_second_place_in_a_topic_sees_the_neighbors_and_keeps_the_topic()
    {
        await using GossipNode first = await GossipNode.StartAsync(s_topic);
        await using GossipNode second = await GossipNode.StartAsync(s_topic, null, first);
        await second.Topic.WaitJoinedAsync().WaitAsync(s_patience);
        await using GossipTopic place = second.Gossip.Join(s_topic, []);
        await place.WaitJoinedAsync().WaitAsync(s_patience);
        await second.Topic.DisposeAsync();
        await first.SayAsync("for the second place");
        List<GossipEvent> seen = [];
        await foreach (GossipEvent gossipEvent in place.ReadEventsAsync())
        {
            seen.Add(gossipEvent);
            if (gossipEvent is MessageReceived)
                break;
        }

        Assert.Equal(new NeighborUp(first.Id), seen[0]);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_message_that_is_too_long_is_refused_and_harms_nothing()
    {
        await using GossipNode first = await GossipNode.StartAsync(s_topic);
        await using GossipNode second = await GossipNode.StartAsync(s_topic, null, first);
        await first.Topic.WaitJoinedAsync().WaitAsync(s_patience);
        int max = first.Gossip.ContentLengthMax;
        await Assert.ThrowsAsync<ArgumentException>(async () => await first.Topic.BroadcastAsync(new byte[max + 1]));
        await first.SayAsync(new string('x', max));
        Assert.Equal(max, (await second.UntilHeardAsync(new string('x', max))).Content.Length);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_burst_comes_through_whole_and_a_reader_that_sleeps_is_told_what_it_missed()
    {
        await using GossipNode first = await GossipNode.StartAsync(s_topic);
        await using GossipNode second = await GossipNode.StartAsync(s_topic, null, first);
        await using GossipTopic sleeping = second.Gossip.Join(s_topic, []);
        await first.Topic.WaitJoinedAsync().WaitAsync(s_patience);
        const int Count = 3000;
        for (int i = 0; i < Count; i++)
            await first.SayAsync($"message {i}");
        await second.UntilHeardAsync($"message {Count - 1}");
        Assert.All(Enumerable.Range(0, Count), i => Assert.Equal(1, second.TimesHeard($"message {i}")));
        int read = 0;
        await foreach (GossipEvent seen in sleeping.ReadEventsAsync())
        {
            if (seen is EventsLagged lagged)
            {
                Assert.InRange(read, 1, 2048);
                Assert.InRange(lagged.Missed, Count - 2048, Count);
                break;
            }

            read++;
        }
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_contact_that_comes_late_is_found()
    {
        var options = new GossipOptions { Configuration = new GossipConfiguration { RejoinDelay = TimeSpan.FromMilliseconds(300) } };
        await using GossipNode late = await GossipNode.StartAsync(TopicId.FromName("elsewhere"), options);
        await using GossipNode early = await GossipNode.StartAsync(s_topic, options, late);
        await using GossipTopic topic = late.Gossip.Join(s_topic, []);
        await topic.WaitJoinedAsync().WaitAsync(s_patience);
        Assert.Equal([early.Id], topic.Neighbors);
    }

    [Theory(Timeout = Patience.Test)]
    [InlineData("ffffffff")] // a frame of 4 GiB
    [InlineData("00000003010203")] // a topic of three bytes
    [InlineData("0000002077777777")] // an end within the topic
    public async Task Whoever_does_not_keep_to_the_framing_is_closed_and_nobody_else(string hex)
    {
        await using GossipNode first = await GossipNode.StartAsync(s_topic);
        await using GossipNode second = await GossipNode.StartAsync(s_topic, null, first);
        await second.Topic.WaitJoinedAsync().WaitAsync(s_patience);
        await using IrohEndpoint stranger = await IrohEndpoint.BindAsync(new IrohEndpointOptions { BindAddresses = [new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0)] });
        await using IrohConnection connection = await stranger.ConnectAsync(first.Endpoint.Address, GossipProtocol.ApplicationProtocol);
        await using QuicStream stream = await connection.OpenUnidirectionalStreamAsync();
        await stream.WriteAsync(Convert.FromHexString(hex));
        stream.CompleteWrites();
        QuicCloseReason reason = await connection.Closed.WaitAsync(s_patience);
        Assert.Equal((QuicCloseKind.ApplicationClosed, 1ul), (reason.Kind, reason.Code));
        await second.SayAsync("untouched");
        await first.UntilHeardAsync("untouched");
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_stranger_that_speaks_the_wire_is_understood_and_answered_in_its_bytes()
    {
        await using GossipNode node = await GossipNode.StartAsync(s_topic);
        await using IrohEndpoint stranger = await IrohEndpoint.BindAsync(new IrohEndpointOptions { BindAddresses = [new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0)] });
        await using IrohConnection connection = await stranger.ConnectAsync(node.Endpoint.Address, GossipProtocol.ApplicationProtocol);
        await using QuicStream sending = await connection.OpenUnidirectionalStreamAsync();
        await sending.WriteAsync(Convert.FromHexString($"00000020{s_topic}" + "0000000400000100"));
        using var patience = new CancellationTokenSource(s_patience);
        await using QuicStream receiving = await connection.AcceptUnidirectionalStreamAsync(patience.Token);
        byte[] header = new byte[4 + 32 + 4 + 4];
        await receiving.ReadExactlyAsync(header, patience.Token);
        Assert.Equal($"00000020{s_topic}", Convert.ToHexStringLower(header.AsSpan(0, 36)));
        // Neighbor, high, with the node's own addresses.
        Assert.Equal("00040001", Convert.ToHexStringLower(header.AsSpan(40, 4)));
        byte[] rest = new byte[System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(36)) - 4];
        await receiving.ReadExactlyAsync(rest, patience.Token);
        await node.UntilAsync(seen => seen is NeighborUp up && up.Peer == stranger.Id, "the stranger");

        await node.SayAsync("hello swarm");
        byte[] message = new byte[4 + 48];
        await receiving.ReadExactlyAsync(message, patience.Token);
        Assert.Equal("00000030" + "01005e10091056dd5dc3fb3ed215af857cd5bef9859c051cc115bcea074627fcf8810b68656c6c6f20737761726d0000", Convert.ToHexStringLower(message));
    }

    private static async Task UntilAsync(Func<bool> condition, string what)
    {
        var waited = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(waited.Elapsed < s_patience, $"no {what} within {s_patience}");
            await Task.Delay(20);
        }
    }
}
