using System.Diagnostics;
using Blixard.Testing.Basics;
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

    // As they are, but for repairs, which would take a minute each.
    private static readonly LiveNodeOptions s_usual = new()
    {
        Live = new LiveConfiguration { RepairInterval = TimeSpan.FromSeconds(15), RetryDelay = TimeSpan.FromSeconds(1), RetryDelayMax = TimeSpan.FromSeconds(5) },
    };

    [Fact(Timeout = Patience.Test)]
    public async Task Six_replicas_of_which_one_dies_and_another_comes_become_equal()
    {
        await using var swarm = new LiveSwarm(seed: 3, TimeSpan.FromSeconds(60), s_quick);
        await swarm.GrowAsync(6);
        await swarm.WriteAsync(writers: 6);
        await swarm.UntilEqualAsync();
        swarm.Crash(swarm.PickLive());
        await swarm.WriteAsync(writers: 6);
        await swarm.JoinAsync();
        await swarm.WriteAsync(writers: 6);
        await swarm.UntilEqualAsync();
    }

    [Theory]
    [InlineData(4)]
    [Trait("Suite", "Long")]
    public async Task Twenty_replicas_of_which_a_tenth_dies_silently_and_is_replaced_every_six_seconds_become_equal(ulong seed)
    {
        const int Count = 20;
        await using var swarm = new LiveSwarm(seed, TimeSpan.FromMinutes(3), s_usual);
        await swarm.GrowAsync(Count);
        await swarm.WriteAsync(writers: Count);
        using var rounds = new PeriodicTimer(TimeSpan.FromSeconds(6));
        for (int round = 0; round < 10; round++)
        {
            for (int i = 0; i < Count / 10; i++)
                swarm.Kill(swarm.PickLive());
            await swarm.GrowAsync(Count);
            await swarm.WriteAsync(writers: 5);
            await rounds.WaitForNextTickAsync();
        }

        var settling = Stopwatch.StartNew();
        await swarm.UntilEqualAsync();
        TestContext.Current.TestOutputHelper?.WriteLine($"equal after {settling.Elapsed}, with {swarm.Live[0].Summary.Count} entries");
    }

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
