using System.Diagnostics;
using Blixard.Testing.Basics;

namespace Iroh.Gossip.Tests;

public class GossipSwarmTests
{
    // Connections to those that died silently last on for half a minute, and whoever has no others finds its way back within another.
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(3);

    [Fact(Timeout = Patience.Test)]
    public async Task Six_endpoints_of_which_one_goes_and_another_comes_hear_each_other_once()
    {
        await using var swarm = new GossipSwarm(seed: 2, TimeSpan.FromSeconds(60));
        await swarm.GrowAsync(6);
        await swarm.UntilWholeAsync();
        swarm.Crash(swarm.PickLive());
        await swarm.JoinAsync();
        await swarm.UntilWholeAsync();
        await swarm.AssertEverybodyHearsEverybodyOnceAsync();
    }

    [Theory]
    [InlineData(5)]
    [Trait("Suite", "Long")]
    public async Task Thirty_endpoints_of_which_a_tenth_dies_silently_and_is_replaced_every_three_seconds_hear_each_other_again(ulong seed)
    {
        const int Count = 30;
        await using var swarm = new GossipSwarm(seed, s_patience);
        await swarm.GrowAsync(Count);
        await swarm.UntilWholeAsync();
        using var rounds = new PeriodicTimer(TimeSpan.FromSeconds(3));
        for (int round = 0; round < 10; round++)
        {
            for (int i = 0; i < Count / 10; i++)
                swarm.Kill(swarm.PickLive());
            await swarm.GrowAsync(Count);
            await swarm.SayAsync();
            await rounds.WaitForNextTickAsync();
        }

        var settling = Stopwatch.StartNew();
        await swarm.UntilWholeAsync();
        TestContext.Current.TestOutputHelper?.WriteLine($"whole after {settling.Elapsed}");
        await swarm.AssertEverybodyHearsEverybodyOnceAsync();
    }

    [Fact]
    [Trait("Suite", "Long")]
    public async Task Twenty_endpoints_hear_everything_once_while_some_come_and_go_and_after_a_third_died()
    {
        await using var swarm = new GossipSwarm(seed: 1, s_patience);
        await ChurnAsync(swarm, count: 20, rounds: 3);
        for (int i = 0; i < 20 / 3; i++)
            swarm.Crash(swarm.PickLive());
        await swarm.UntilWholeAsync();
        await swarm.AssertEverybodyHearsEverybodyOnceAsync();
    }

    [Theory]
    [InlineData(4)]
    [Trait("Suite", "Long")]
    public async Task Halves_that_were_cut_off_until_their_connections_ended_hear_each_other_again(ulong seed)
    {
        await using var swarm = new GossipSwarm(seed, s_patience);
        await swarm.GrowAsync(20);
        await swarm.UntilWholeAsync();
        GossipNode[] left = [.. swarm.Live.Take(10)], right = [.. swarm.Live.Skip(10)];
        swarm.Cuts.Cut(left.Select(node => node.Id.ToString()));
        await swarm.UntilApartAsync(left, right);
        swarm.Cuts.Heal();
        await swarm.UntilWholeAsync();
        await swarm.AssertEverybodyHearsEverybodyOnceAsync();
    }

    private static async Task ChurnAsync(GossipSwarm swarm, int count, int rounds)
    {
        await swarm.GrowAsync(count);
        await swarm.UntilWholeAsync();
        await swarm.AssertEverybodyHearsEverybodyOnceAsync();
        for (int round = 0; round < rounds; round++)
        {
            swarm.Kill(swarm.PickLive());
            await swarm.SayAsync();
            await swarm.RestartAsync(swarm.PickLive());
            await swarm.SayAsync();
            swarm.Leave(swarm.PickLive());
            await swarm.SayAsync();
            await swarm.GrowAsync(count);
        }

        await swarm.UntilWholeAsync();
        await swarm.AssertEverybodyHearsEverybodyOnceAsync();
    }
}
