using Iroh.Gossip;

namespace Iroh.Docs.Live;

public class LiveSwarmTests
{
    // Repairs that wait for minutes are seen here, too.
    private static readonly LiveNodeOptions s_quick = new()
    {
        Gossip = new GossipOptions { Configuration = new GossipConfiguration { ShuffleInterval = TimeSpan.FromSeconds(3) } },
        Live = new LiveConfiguration { RepairInterval = TimeSpan.FromSeconds(3), RetryDelay = TimeSpan.FromSeconds(1), RetryDelayMax = TimeSpan.FromSeconds(5) },
    };

    [Theory]
    [InlineData(1, 2)]
    [InlineData(2, 12)]
    [Trait("Suite", "Long")]
    public async Task Replicas_that_write_while_some_are_restarted_join_and_are_cut_in_two_become_equal(ulong seed, int count)
    {
        await using var swarm = new LiveSwarm(seed, TimeSpan.FromMinutes(3), s_quick);
        await HistoryAsync(swarm, count, rounds: 2);
    }

    private static async Task HistoryAsync(LiveSwarm swarm, int count, int rounds)
    {
        await swarm.JoinAsync();
        await swarm.WriteAsync(writers: 5);
        await swarm.GrowAsync(count);
        await swarm.WriteAsync(writers: 2 * count);
        for (int round = 0; round < rounds; round++)
        {
            LiveNode returning = swarm.PickRestartable();
            Task restarted = swarm.RestartAsync(returning, silently: swarm.Pick(2) == 0);
            await swarm.WriteAsync(writers: count);
            if (count > 2)
                swarm.Kill(swarm.PickLive());
            await swarm.WriteAsync(writers: count);
            await restarted;
            await swarm.GrowAsync(count);
            await swarm.WriteAsync(writers: count);
        }

        await swarm.UntilEqualAsync();

        List<LiveNode> left = [.. swarm.Live.Take(count / 2)], right = [.. swarm.Live.Skip(count / 2)];
        swarm.Cut(left);
        foreach (LiveNode node in swarm.Live)
            await swarm.WriteAsync(node);
        await swarm.JoinAsync(right[0], neighbors: 1);
        right.Add(swarm.Live[^1]);
        await swarm.UntilEqualAsync(left);
        await swarm.UntilEqualAsync(right);
        Assert.NotEqual(left[0].Summary, right[0].Summary);
        swarm.Heal();
        await swarm.WriteAsync(writers: 2);
        await swarm.UntilEqualAsync();
    }
}
