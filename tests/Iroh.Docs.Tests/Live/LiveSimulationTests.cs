using Iroh.Gossip.Simulation;

namespace Iroh.Docs.Live;

public class LiveSimulationTests
{
    private ulong _timestamp;

    [Theory]
    [InlineData(1, 2)]
    [InlineData(2, 20)]
    public void Replicas_have_what_others_wrote_before_they_joined_and_what_is_written_then(ulong seed, int count)
    {
        (SimulatedNetwork network, List<SimulatedReplica> replicas) = Start(seed, 1);
        for (int i = 0; i < 50; i++)
            Write(replicas[0], $"old-{i}");
        Grow(network, replicas, count);
        network.Run(TimeSpan.FromSeconds(5));
        AssertEqual(network, replicas, 50);
        foreach (SimulatedReplica replica in replicas)
            Write(replica, $"new-{replica.Peer.Id.ToShortString()}");
        network.Run(TimeSpan.FromSeconds(5));
        AssertEqual(network, replicas, 50 + count);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(11)]
    [InlineData(12)]
    public void Twenty_replicas_under_churn_converge(ulong seed)
    {
        (SimulatedNetwork network, List<SimulatedReplica> replicas) = Start(seed, 20);
        for (int i = 0; i < 300; i++)
        {
            SimulatedReplica[] live = [.. replicas.Where(replica => replica.Peer.IsLive)];
            SimulatedReplica someone = live[network.Pick(live.Length)];
            switch (network.Pick(12))
            {
                case 0 when live.Length > 10:
                    network.Kill(someone.Peer);
                    break;
                case 1 when live.Length < 20:
                    Join(network, replicas);
                    break;
                default:
                    Write(someone, $"key-{network.Pick(100)}");
                    break;
            }

            network.Run(TimeSpan.FromMilliseconds(network.Pick(500)));
        }

        network.Run(TimeSpan.FromSeconds(180));
        AssertEqual(network, replicas, null);
    }

    [Theory]
    [InlineData(20, 2)]
    [InlineData(21, 20)]
    [InlineData(22, 20)]
    public void Halves_that_were_apart_converge_when_they_meet_again(ulong seed, int count)
    {
        (SimulatedNetwork network, List<SimulatedReplica> replicas) = Start(seed, count);
        network.Run(TimeSpan.FromSeconds(90));
        network.CutOff(replicas.Take(count / 2).Select(replica => replica.Peer));
        for (int i = 0; i < 100; i++)
        {
            Write(replicas[network.Pick(count)], $"key-{i}");
            network.Run(TimeSpan.FromSeconds(1));
        }

        Assert.InRange(replicas[0].Entries.Count, 1, 99);
        network.Heal();
        network.Run(TimeSpan.FromSeconds(180));
        AssertEqual(network, replicas, 100);
    }

    [Fact]
    public void Entries_that_gossip_lost_are_found_although_newer_ones_came()
    {
        (SimulatedNetwork network, List<SimulatedReplica> replicas) = Start(30, 10);
        replicas[3].DropsPutsPercent = replicas[7].DropsPutsPercent = 40;
        for (int i = 0; i < 100; i++)
        {
            Write(replicas[0], $"key-{i}");
            network.Run(TimeSpan.FromMilliseconds(200));
        }

        Write(replicas[0], "last");
        network.Run(TimeSpan.FromMinutes(8));
        AssertEqual(network, replicas, 101);
    }

    [Fact]
    public void A_quiet_document_is_rarely_synced()
    {
        (SimulatedNetwork network, List<SimulatedReplica> replicas) = Start(40, 20);
        Write(replicas[0], "key");
        network.Run(TimeSpan.FromMinutes(5));
        int before = replicas.Sum(replica => replica.Syncs);
        network.Run(TimeSpan.FromMinutes(10));
        double perReplicaAndMinute = (replicas.Sum(replica => replica.Syncs) - before) / 200.0;
        Assert.True(perReplicaAndMinute < 2, $"{perReplicaAndMinute} syncs");
        Assert.All(replicas, replica => Assert.InRange(replica.State.PeerCount, 1, 5));
    }

    private static (SimulatedNetwork, List<SimulatedReplica>) Start(ulong seed, int count)
    {
        var network = new SimulatedNetwork(seed);
        List<SimulatedReplica> replicas = [];
        Grow(network, replicas, count);
        network.Run(TimeSpan.FromSeconds(5));
        return (network, replicas);
    }

    private static void Grow(SimulatedNetwork network, List<SimulatedReplica> replicas, int count)
    {
        while (replicas.Count < count)
        {
            Join(network, replicas);
            network.Run(TimeSpan.FromMilliseconds(200));
        }
    }

    private static void Join(SimulatedNetwork network, List<SimulatedReplica> replicas)
    {
        SimulatedReplica[] live = [.. replicas.Where(replica => replica.Peer.IsLive)];
        var replica = new SimulatedReplica(network, replicas);
        if (live.Length == 0)
            network.Join(replica.Peer);
        else
            network.Join(replica.Peer, live[network.Pick(live.Length)].Peer);
    }

    private static void AssertEqual(SimulatedNetwork network, List<SimulatedReplica> replicas, int? count)
    {
        SimulatedReplica[] live = [.. replicas.Where(replica => replica.Peer.IsLive)];
        Dictionary<string, ulong> expected = live.SelectMany(replica => replica.Entries).GroupBy(entry => entry.Key)
            .ToDictionary(same => same.Key, same => same.Max(entry => entry.Value));
        if (count is not null)
            Assert.Equal(count, expected.Count);
        foreach (SimulatedReplica replica in live)
        {
            int wrong = expected.Count(entry => replica.Entries.GetValueOrDefault(entry.Key) != entry.Value);
            Assert.True(wrong == 0, $"seed {network.Seed}: replica {replicas.IndexOf(replica)} lacks {wrong} of {expected.Count} entries");
        }
    }

    private void Write(SimulatedReplica replica, string key) => replica.Write(key, ++_timestamp);
}
