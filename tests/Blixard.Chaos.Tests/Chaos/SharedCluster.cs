using Blixard.Testing.Chaos;

namespace Blixard.Chaos.Tests.Chaos;

/// <summary>The cluster that the cases share: each leaves it whole, and after one that failed there is a new one.</summary>
public sealed class SharedCluster : IAsyncDisposable
{
    private ChaosCluster? _cluster;

    /// <summary>Runs a case in its short form.</summary>
    public async Task RunAsync(string name)
    {
        // What is printed in this form is what ./test shows of a run that went well.
        var report = new ChaosReport(line => Console.WriteLine($"chaos: {line}"));
        _cluster ??= await ChaosCluster.StartAsync(ChaosCases.Cluster(AppContext.BaseDirectory));
        try
        {
            await ChaosCases.Find(name).RunAsync(_cluster, ChaosLength.Short, report);
        }
        catch
        {
            await DisposeAsync();
            _cluster = null;
            throw;
        }
    }

    public ValueTask DisposeAsync() => _cluster?.DisposeAsync() ?? ValueTask.CompletedTask;
}
