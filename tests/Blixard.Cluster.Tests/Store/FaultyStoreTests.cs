using Blixard.Cluster.Store;
using Blixard.Cluster.Tests.Support;
using Blixard.Testing.Linearizability;
using Blixard.Testing.Store;

namespace Blixard.Cluster.Tests.Store;

/// <summary>That the check which the engines must pass is one that a wrong engine fails.</summary>
public sealed class FaultyStoreTests
{
    [Theory]
    [InlineData(StoreFault.StaleRead)]
    [InlineData(StoreFault.DroppedCommit)]
    [InlineData(StoreFault.AppliedTwice)]
    [InlineData(StoreFault.IgnoredComparison)]
    [InlineData(StoreFault.RefusedAndDone)]
    [InlineData(StoreFault.Resurrection)]
    public async Task A_planted_fault_is_caught(StoreFault fault)
    {
        // One client: the seeds alone decide what happens.
        LinearizabilityVerdict verdict = await RunAsync(fault, clients: 1, operations: 200);
        Assert.True(verdict is LinearizabilityVerdict.Violation, $"{fault}: {verdict}");
    }

    [Fact]
    public async Task A_planted_fault_is_caught_among_concurrent_clients()
    {
        LinearizabilityVerdict verdict = await RunAsync(StoreFault.DroppedCommit, clients: 4, operations: 100);
        Assert.True(verdict is LinearizabilityVerdict.Violation, $"{verdict}");
    }

    [Fact]
    public async Task Without_a_fault_nothing_is_caught() =>
        Assert.IsType<LinearizabilityVerdict.Linearizable>(await RunAsync(StoreFault.None, clients: 4, operations: 50));

    private static async Task<LinearizabilityVerdict> RunAsync(StoreFault fault, int clients, int operations)
    {
        await using var temporary = new TemporaryStore();
        await using IClusterStore store = new FaultyStore(temporary.Store, fault, seed: 5);
        var recorder = new HistoryRecorder();
        await new RegisterWorkload(recorder, seed: 7).RunAsync(_ => store, clients, operations, TestContext.Current.CancellationToken);
        return LinearizabilityChecker.Check(recorder.Operations);
    }
}
