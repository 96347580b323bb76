using Blixard.Cluster.Store;
using Blixard.Testing.Linearizability;
using Blixard.Testing.Namespaces;

namespace Blixard.Testing.Chaos;

/// <summary>One case on a cluster: a workload that goes on while faults are made, and the judgement at the end. One owner.</summary>
public sealed class ChaosRun : IAsyncDisposable
{
    /// <summary>Writes that must be acknowledged after a fault before it counts as overcome: several of each client.</summary>
    public const int AcknowledgedAfter = 20;

    private readonly string _name;
    private readonly ChaosReport _report;
    private readonly IReadOnlyList<IClusterStore> _stores;
    private readonly WatchRecord _watch;

    private ChaosRun(string name, ChaosCluster cluster, ChaosReport report, IReadOnlyList<IClusterStore> stores, Workload workload, WatchRecord watch) =>
        (_name, Cluster, _report, _stores, Workload, _watch) = (name, cluster, report, stores, workload, watch);

    /// <summary>The cluster; stays its owner's.</summary>
    public ChaosCluster Cluster { get; }

    /// <summary>The workload.</summary>
    public Workload Workload { get; }

    /// <summary>Starts the workload with one client for each server and one more.</summary>
    public static async Task<ChaosRun> StartAsync(string name, ChaosCluster cluster, ChaosReport report)
    {
        ulong seed = (ulong)name.Sum(letter => letter) + 1;
        string prefix = $"/chaos/{Guid.NewGuid():N}/";
        IClusterStore[] stores = [.. cluster.Servers.Append(cluster.Servers[0]).Select(server => cluster.OpenStore(server.Name))];
        long revision = (await stores[0].RangeAsync(prefix).ConfigureAwait(false)).Revision;
        Workload workload = Workload.Start(prefix, stores, new WorkloadOptions(), seed, TimeProvider.System);
        var run = new ChaosRun(name, cluster, report, stores, workload, new WatchRecord(cluster.OpenStore(cluster.Servers[^1].Name), prefix + "log/", revision + 1));
        await workload.UntilAcknowledgedAsync(AcknowledgedAfter, LabNode.Patience).ConfigureAwait(false);
        return run;
    }

    /// <summary>Does something to the cluster, waits for what <paramref name="body"/> waits for and until writes go on, and reports how long
    /// they stood still.</summary>
    /// <param name="fault">What is done, for the report.</param>
    /// <param name="body">Does it and returns what else is to be reported.</param>
    public async Task FaultAsync(string fault, Func<Task<string>> body)
    {
        TimeSpan from = Workload.Now;
        string note;
        try
        {
            note = await body().ConfigureAwait(false);
            await Workload.UntilAcknowledgedAsync(AcknowledgedAfter, LabNode.Patience).ConfigureAwait(false);
        }
        catch (Exception e) when (e is LabException or TimeoutException or StoreUnavailableException)
        {
            throw new ChaosException($"{_name}: {fault}: {e.Message}\n{Cluster.Tails}", e);
        }

        TimeSpan to = Workload.Now;
        _report.Add(new ChaosLine(_name, fault, Workload.Acknowledged.LongestGap(from, to), to - from, note));
    }

    /// <summary>Fails the case if something does not hold.</summary>
    /// <exception cref="ChaosException">It does not.</exception>
    public void Demand(bool holds, string problem)
    {
        if (!holds)
            throw new ChaosException($"{_name}: {problem}\n{Cluster.Tails}");
    }

    /// <summary>Ends the workload and checks everything that was noted.</summary>
    /// <exception cref="ChaosException">A promise was broken.</exception>
    public async Task FinishAsync()
    {
        await Workload.StopAsync().ConfigureAwait(false);
        StoreRange found = await _stores[0].RangeAsync(Workload.Prefix + "log/").ConfigureAwait(false);
        await _watch.UntilRevisionAsync(found.Entries.Max(entry => entry.ModRevision), LabNode.Patience).ConfigureAwait(false);
        IReadOnlyList<Append> appends = Workload.Appends;
        LinearizabilityVerdict verdict = LinearizabilityChecker.Check(Workload.Operations);
        string[] problems =
        [
            .. WorkloadChecks.CheckSequence(appends, found.Entries),
            .. WorkloadChecks.CheckWatch(_watch.Told, found.Entries),
            .. verdict is LinearizabilityVerdict.Linearizable ? Array.Empty<string>() : [verdict.ToString()!],
        ];
        if (problems.Length > 0)
            throw new ChaosException($"{_name} (seed {Workload.Seed}): {string.Join("; ", problems)}\n{Cluster.Tails}");
        _report.Say(
            $"{_name}: {appends.Count(append => append.Outcome == Outcome.Done)} of {appends.Count} appends acknowledged, none lost; "
            + $"{Workload.Operations.Count} steps on registers are linearizable");
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Workload.DisposeAsync().ConfigureAwait(false);
        await _watch.DisposeAsync().ConfigureAwait(false);
        foreach (IClusterStore store in _stores)
            await store.DisposeAsync().ConfigureAwait(false);
    }
}
