namespace Iroh.Gossip.Simulation;

/// <summary>Swarms of thirty of which a tenth dies without a word and is replaced every three seconds, for minutes: hardly anybody lives for one.</summary>
public class ChurnSimulationTests
{
    private const int Count = 30;
    private const int Replaced = Count / 10;

    // They stay throughout, and hear what is said at the end.
    private const int Witnesses = 3;

    private static readonly TimeSpan s_round = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_settling = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(1, 4, 2)]
    [InlineData(101, 5, 30)]
    public void A_swarm_that_is_replaced_all_the_time_is_one_within_a_minute(ulong firstSeed, int seeds, int silenceNoticedSeconds) =>
        AssertWhole(firstSeed, seeds, TimeSpan.FromSeconds(silenceNoticedSeconds));

    [Theory]
    [InlineData(1001, 100, 2)]
    [InlineData(2001, 100, 10)]
    [InlineData(3001, 100, 30)]
    [Trait("Suite", "Long")]
    public void A_swarm_that_is_replaced_all_the_time_is_one_within_a_minute_whatever_the_seed(ulong firstSeed, int seeds, int silenceNoticedSeconds) =>
        AssertWhole(firstSeed, seeds, TimeSpan.FromSeconds(silenceNoticedSeconds));

    private static void AssertWhole(ulong firstSeed, int seeds, TimeSpan silenceNoticed)
    {
        List<string> failures = [];
        for (ulong seed = firstSeed; seed < firstSeed + (ulong)seeds; seed++)
        {
            if (Run(seed, silenceNoticed) is { } failure)
                failures.Add($"seed {seed}: {failure}");
        }

        Assert.True(failures.Count == 0, $"{failures.Count} of {seeds}: {string.Join("; ", failures.Take(10))}");
    }

    /// <summary>What is wrong in the end; null if nothing is.</summary>
    private static string? Run(ulong seed, TimeSpan silenceNoticed)
    {
        var network = new SimulatedNetwork(seed) { SilenceNoticed = silenceNoticed };
        network.Grow(Count);
        network.Run(TimeSpan.FromSeconds(10));
        SimulatedPeer[] witnesses = [.. network.Peers.Take(Witnesses)];
        for (int round = 0; round < 60; round++)
        {
            for (int i = 0; i < Replaced; i++)
            {
                SimulatedPeer[] mortal = [.. network.Live.Except(witnesses)];
                network.Kill(mortal[network.Pick(mortal.Length)]);
            }

            for (int i = 0; i < Replaced; i++)
            {
                SimulatedPeer[] live = [.. network.Live];
                network.Join(network.Add(), [.. new[] { live[network.Pick(live.Length)], live[network.Pick(live.Length)] }.Distinct()]);
                network.Run(s_round / Replaced);
            }
        }

        network.Run(s_settling);
        network.Broadcast(witnesses[0], "one");
        network.Run(TimeSpan.FromSeconds(5));
        int heard = network.Live.Count(peer => peer.Texts.Contains("one"));
        int alone = network.Live.Count(peer => peer.Neighbors.Count == 0);
        return heard == Count - 1 ? null : $"{heard} of {Count - 1} heard, {alone} have no neighbor";
    }
}
