namespace Blixard.Testing.Chaos;

/// <summary>How much of a case is done.</summary>
/// <param name="LeaderKills">How often the leader is killed.</param>
/// <param name="CutOff">How long a worker is cut off.</param>
/// <param name="Hold">How long a blocked network is left as it is, once the cluster has adapted to it.</param>
public sealed record ChaosLength(int LeaderKills, TimeSpan CutOff, TimeSpan Hold)
{
    /// <summary>What every run of the tests can afford.</summary>
    public static ChaosLength Short { get; } = new(3, TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(3));

    /// <summary>What the issue asks for.</summary>
    public static ChaosLength Long { get; } = new(20, TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(30));
}

/// <summary>A case of bad luck. It leaves the cluster whole.</summary>
/// <param name="Name">Its name, for people and for choosing it.</param>
/// <param name="Body">What is done while the workload goes on.</param>
public sealed record ChaosCase(string Name, Func<ChaosRun, ChaosLength, Task> Body)
{
    /// <summary>Runs the case: workload, faults, judgement.</summary>
    /// <exception cref="ChaosException">A promise was broken.</exception>
    public async Task RunAsync(ChaosCluster cluster, ChaosLength length, ChaosReport report)
    {
        await cluster.UntilWholeAsync().ConfigureAwait(false);
        ChaosRun run = await ChaosRun.StartAsync(Name, cluster, report).ConfigureAwait(false);
        await using (run.ConfigureAwait(false))
        {
            await Body(run, length).ConfigureAwait(false);
            await run.FinishAsync().ConfigureAwait(false);
        }
    }
}
