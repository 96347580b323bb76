using Blixard.Cluster.Store;
using Blixard.Testing.Linearizability;

namespace Blixard.Testing.Store;

/// <summary>That an engine's answers to concurrent clients are those of one register for each key.</summary>
public abstract class StoreHistorySuite : StoreLeaseSuite
{
    private const int Clients = 5;
    private const int OperationsEach = 60;

    [Theory]
    [InlineData(1UL)]
    [InlineData(2UL)]
    [InlineData(3UL)]
    public async Task Concurrent_clients_see_one_register_history(ulong seed)
    {
        await using IClusterStore store = await CreateAsync();
        var recorder = new HistoryRecorder();
        await new RegisterWorkload(recorder, seed).RunAsync(_ => store, Clients, OperationsEach, Cancel);
        Assert.Equal(Clients * OperationsEach, recorder.Operations.Count(operation => operation.Answer is not null));
        LinearizabilityVerdict verdict = LinearizabilityChecker.Check(recorder.Operations);
        Assert.True(verdict is LinearizabilityVerdict.Linearizable, $"seed {seed}: {verdict}");
    }
}
