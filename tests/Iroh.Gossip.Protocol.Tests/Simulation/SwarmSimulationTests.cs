using Iroh.Base;

namespace Iroh.Gossip.Simulation;

public class SwarmSimulationTests
{
    [Theory]
    [InlineData(1, 2)]
    [InlineData(2, 7)]
    [InlineData(3, 50)]
    [InlineData(4, 300)]
    public void A_swarm_that_grew_is_connected_and_its_views_are_symmetric(ulong seed, int count)
    {
        var network = new SimulatedNetwork(seed);
        network.Grow(count);
        network.Run(TimeSpan.FromSeconds(150));
        AssertSound(network);
    }

    [Fact]
    public void Two_hundred_that_join_by_the_same_one_at_the_same_moment_all_get_in()
    {
        var network = new SimulatedNetwork(5);
        SimulatedPeer first = network.Add();
        network.Join(first);
        for (int i = 0; i < 200; i++)
            network.Join(network.Add(), first);
        network.Run(TimeSpan.FromSeconds(180));
        AssertSound(network);
    }

    [Theory]
    [InlineData(10, 5)]
    [InlineData(11, 60)]
    [InlineData(12, 250)]
    public void Every_message_reaches_every_peer_exactly_once(ulong seed, int count)
    {
        var network = new SimulatedNetwork(seed) { Encodes = count <= 60 };
        network.Grow(count);
        network.Run(TimeSpan.FromSeconds(10));
        var sent = new List<(string Text, SimulatedPeer Author)>();
        for (int i = 0; i < 40; i++)
        {
            SimulatedPeer author = network.Peers[network.Pick(count)];
            sent.Add(($"message {i}", author));
            network.Broadcast(author, $"message {i}");
            network.Run(TimeSpan.FromMilliseconds(network.Pick(300)));
        }

        network.Run(TimeSpan.FromSeconds(5));
        foreach ((string text, SimulatedPeer author) in sent)
            AssertDelivered(network, text, network.Peers.Where(peer => peer != author));
        int rounds = network.Peers.SelectMany(peer => peer.Events.OfType<MessageReceived>()).Max(received => received.Round);
        Assert.True(rounds <= 25, $"seed {seed}: {rounds} rounds");
        AssertBounded(network);
    }

    [Theory]
    [InlineData(20)]
    [InlineData(21)]
    public void Once_the_tree_has_settled_a_message_is_sent_about_once_to_each_peer(ulong seed)
    {
        const int Count = 200;
        var network = new SimulatedNetwork(seed);
        network.Grow(Count);
        network.Run(TimeSpan.FromSeconds(150));
        for (int i = 0; i < 10; i++)
        {
            network.Broadcast(network.Peers[0], $"settling {i}");
            network.Run(TimeSpan.FromSeconds(1));
        }

        long before = network.Payloads;
        for (int i = 0; i < 10; i++)
        {
            network.Broadcast(network.Peers[0], $"settled {i}");
            network.Run(TimeSpan.FromSeconds(1));
        }

        double each = (network.Payloads - before) / 10.0;
        Assert.InRange(each, Count - 1, (Count - 1) * 1.03);
        for (int i = 0; i < 10; i++)
            AssertDelivered(network, $"settled {i}", network.Peers.Skip(1));
    }

    [Theory]
    [InlineData(30)]
    [InlineData(31)]
    [InlineData(32)]
    public void Under_churn_every_message_reaches_all_who_stayed(ulong seed) => LiveThroughChurn(seed);

    [Fact]
    [Trait("Suite", "Long")]
    public void Under_churn_every_message_reaches_all_who_stayed_with_two_hundred_seeds()
    {
        for (ulong seed = 1000; seed < 1200; seed++)
            LiveThroughChurn(seed);
    }

    [Theory]
    [InlineData(40, 0.02)]
    [InlineData(41, 0.05)]
    public void Lost_frames_are_made_good(ulong seed, double loss)
    {
        var network = new SimulatedNetwork(seed);
        network.Grow(100);
        network.Run(TimeSpan.FromSeconds(60));
        network.Loss = loss;
        for (int i = 0; i < 50; i++)
        {
            network.Broadcast(network.Peers[network.Pick(100)], $"message {i}");
            network.Run(TimeSpan.FromMilliseconds(200));
        }

        network.Run(TimeSpan.FromSeconds(10));
        for (int i = 0; i < 50; i++)
            AssertReached(network, $"message {i}", 100);
        // Lost messages of the membership leave views that only one end believes in; traffic and shuffles set them right.
        network.Loss = 0;
        for (int i = 0; i < 20; i++)
        {
            network.Broadcast(network.Peers[network.Pick(100)], $"quiet {i}");
            network.Run(TimeSpan.FromSeconds(10));
        }

        AssertSound(network);
    }

    [Theory]
    [InlineData(50, 60)]
    [InlineData(51, 900)]
    public void Halves_that_were_cut_apart_find_each_other_again(ulong seed, int seconds)
    {
        var network = new SimulatedNetwork(seed);
        network.Grow(80);
        network.Run(TimeSpan.FromSeconds(150));
        network.CutOff(network.Peers.Take(40));
        network.Run(TimeSpan.FromSeconds(seconds));
        network.Broadcast(network.Peers[0], "one side");
        network.Run(TimeSpan.FromSeconds(5));
        AssertDelivered(network, "one side", network.Peers.Skip(1).Take(39));
        Assert.DoesNotContain("one side", network.Peers.Skip(40).SelectMany(peer => peer.Texts));

        network.Heal();
        network.Run(TimeSpan.FromSeconds(180));
        network.Broadcast(network.Peers[0], "all");
        network.Run(TimeSpan.FromSeconds(5));
        AssertDelivered(network, "all", network.Peers.Skip(1));
        // Those that were lost are taken in again, one a minute, and until then somebody is always about to change its neighbors.
        network.Run(TimeSpan.FromMinutes(10));
        AssertSound(network);
    }

    [Fact]
    public void A_peer_whose_only_contact_is_not_there_yet_gets_in_when_it_comes()
    {
        var network = new SimulatedNetwork(60);
        SimulatedPeer late = network.Add();
        late.IsLive = false;
        SimulatedPeer early = network.Add();
        network.Join(early, late);
        network.Run(TimeSpan.FromSeconds(20));
        Assert.Empty(early.Neighbors);
        late.IsLive = true;
        network.Join(late);
        network.Run(TimeSpan.FromSeconds(90));
        Assert.Equal([late.Id], early.Neighbors);
    }

    [Fact]
    public void A_quiet_swarm_only_shuffles()
    {
        // 101 peers with five neighbors each cannot be: somebody stays with a free place, and must not ask for it all the time.
        var network = new SimulatedNetwork(70);
        network.Grow(101);
        network.Run(TimeSpan.FromSeconds(200));
        long before = network.Frames;
        network.Run(TimeSpan.FromSeconds(600));
        double perPeerAndMinute = (network.Frames - before) / 101.0 / 10;
        Assert.True(perPeerAndMinute < 25, $"{perPeerAndMinute} frames");
        AssertSound(network);
    }

    [Fact]
    public void A_seed_replays_its_run()
    {
        Assert.Equal(Trace(80), Trace(80));
        Assert.NotEqual(Trace(80), Trace(81));

        static string Trace(ulong seed)
        {
            var network = new SimulatedNetwork(seed) { Loss = 0.01 };
            network.Grow(30);
            for (int i = 0; i < 20; i++)
            {
                network.Broadcast(network.Peers[network.Pick(30)], $"message {i}");
                network.Run(TimeSpan.FromSeconds(1));
            }

            return $"{network.Frames} {network.Payloads} " + string.Join(",", network.Peers.Select(peer => peer.Events.Count));
        }
    }

    private static void LiveThroughChurn(ulong seed)
    {
        var network = new SimulatedNetwork(seed);
        network.Grow(120);
        network.Run(TimeSpan.FromSeconds(20));
        var sent = new List<(string Text, SimulatedPeer Author, TimeSpan At)>();
        for (int i = 0; i < 300; i++)
        {
            SimulatedPeer[] live = [.. network.Live];
            SimulatedPeer someone = live[network.Pick(live.Length)];
            switch (network.Pick(6))
            {
                case 0:
                    network.Kill(someone);
                    break;
                case 1:
                    network.Leave(someone);
                    break;
                case 2 or 3:
                    // By two: who has one contact only, and loses it before it was let in, knows nobody.
                    network.Join(network.Add(), someone, live[network.Pick(live.Length)]);
                    break;
                default:
                    network.Broadcast(someone, $"message {i}");
                    sent.Add(($"message {i}", someone, network.Now));
                    break;
            }

            network.Run(TimeSpan.FromMilliseconds(network.Pick(400)));
        }

        network.Run(TimeSpan.FromSeconds(30));
        // Who has just joined, or whose word died with it, is no witness.
        foreach ((string text, SimulatedPeer author, TimeSpan at) in sent.Where(message => message.Author.IsLive))
            AssertDelivered(network, text, network.Live.Where(peer => peer != author && peer.JoinedAt < at - TimeSpan.FromSeconds(5)));
        network.Run(TimeSpan.FromSeconds(150));
        // A neighbor that has just been replaced has not heard of it yet; the next messages end that.
        for (int i = 0; i < 20 && !network.Live.All(peer => HasSymmetricView(network, peer)); i++)
            network.Run(TimeSpan.FromMilliseconds(100));
        AssertSound(network);
        AssertBounded(network);
    }

    private static bool HasSymmetricView(SimulatedNetwork network, SimulatedPeer peer) =>
        peer.Neighbors.All(neighbor => network.Live.FirstOrDefault(other => other.Id == neighbor)?.Neighbors.Contains(peer.Id) is true);

    private static void AssertDelivered(SimulatedNetwork network, string text, IEnumerable<SimulatedPeer> to)
    {
        foreach (SimulatedPeer peer in to)
            Assert.True(peer.Texts.Count(came => came == text) == 1, $"seed {network.Seed}: peer {network.Peers.IndexOf(peer)} got '{text}' {peer.Texts.Count(came => came == text)} times");
    }

    private static void AssertReached(SimulatedNetwork network, string text, int count)
    {
        int[] times = [.. network.Peers.Select(peer => peer.Texts.Count(came => came == text))];
        Assert.True(times.Sum() == count - 1 && times.Max() == 1, $"seed {network.Seed}: '{text}' came {times.Sum()} times");
    }

    private static void AssertSound(SimulatedNetwork network)
    {
        Dictionary<EndpointId, SimulatedPeer> live = network.Live.ToDictionary(peer => peer.Id);
        foreach (SimulatedPeer peer in live.Values)
        {
            Assert.InRange(peer.Neighbors.Count, 1, network.Configuration.ActiveViewCapacity);
            foreach (EndpointId neighbor in peer.Neighbors)
                Assert.True(live.TryGetValue(neighbor, out SimulatedPeer? other) && other.Neighbors.Contains(peer.Id), $"seed {network.Seed}: {network.Peers.IndexOf(peer)} has a neighbor that does not have it");
            int up = peer.Events.OfType<NeighborUp>().Count() - peer.Events.OfType<NeighborDown>().Count();
            Assert.Equal(peer.Neighbors.Count, up);
        }

        var reached = new HashSet<EndpointId>();
        var next = new Queue<EndpointId>([live.Keys.First()]);
        while (next.TryDequeue(out EndpointId id))
        {
            if (reached.Add(id))
                live[id].Neighbors.ToList().ForEach(next.Enqueue);
        }

        Assert.True(reached.Count == live.Count, $"seed {network.Seed}: only {reached.Count} of {live.Count} are connected");
    }

    private static void AssertBounded(SimulatedNetwork network)
    {
        network.Run(network.Configuration.MessageIdRetention + TimeSpan.FromSeconds(2));
        foreach (SimulatedPeer peer in network.Live)
        {
            TopicState topic = peer.State.Find(SimulatedNetwork.Topic)!;
            Assert.Equal((0, 0, 0), topic.Broadcast.Sizes);
            Assert.InRange(topic.Membership.PassiveView.Count, 0, network.Configuration.PassiveViewCapacity);
        }
    }
}
