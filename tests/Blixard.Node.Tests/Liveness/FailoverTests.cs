using Blixard.Node.Events;
using Blixard.Node.Tests.Support;
using Blixard.Rpc.Calls;
using Blixard.Testing.Chaos;
using Blixard.V1;

namespace Blixard.Node.Tests.Liveness;

/// <summary>Nodes that are lost in different ways, and what becomes of their VMs. Real nodes, real guards, VMs that note when they live.</summary>
public sealed class FailoverTests
{
    [Fact]
    public async Task A_node_that_stops_is_lost_its_VMs_move_or_wait_and_it_comes_back_to_what_is_still_its_own()
    {
        await using var cluster = new TestCluster();
        var vms = new RecordedVms(cluster);
        TestNode one = await cluster.UpAsync("one", vms.With);
        TestNode two = await cluster.JoinAsync("two", one, options => vms.With(options) with { MemoryMib = 16384 });
        await two.UntilLinkedAsync("one");
        await RecordedVms.AddImageAsync(one, cluster.DirectoryOf("one"));
        await RunAsync(one, RecordedVms.Spec("moves", NodeLossPolicy.Elsewhere), "two");
        await RunAsync(one, RecordedVms.Spec("waits", NodeLossPolicy.Here), "two");
        await UntilStateAsync(one, "moves", VmState.Running);
        await UntilStateAsync(one, "waits", VmState.Running);
        Task<StoppedEvent> stopped = two.UntilEventAsync<StoppedEvent>(two.Node.WatchEventsAsync());
        Task<NodeLostEvent> lost = one.UntilEventAsync<NodeLostEvent>(one.Node.WatchEventsAsync());

        await two.DisposeAsync();

        Assert.Matches("go on running, and the next start takes them over: waits; these may move .* ended in [0-9.]+ s, .*: moves$", (await stopped).Reason);
        Assert.Equal("two", (await lost).Name);
        StatusResponse status = await one.UntilAsync(seen => Vm(seen, "moves").Status is { Node: "one", State: VmState.Running }, "the VM on one");
        NodeStatus node = status.Nodes.Single(node => node.Member.Node.Name == "two");
        Assert.Equal(NodeState.Lost, node.State);
        Assert.NotNull(node.LostSince);
        Assert.Contains("its lease ended", node.Reason);
        Assert.Equal(("two", 2), (Vm(status, "moves").MovedFrom, vms.Lives.Count(life => life.Vm == "moves")));
        Assert.StartsWith("moved from two, lost since ", Vm(status, "moves").MovedReason);
        Assert.Equal(VmState.Unknown, Vm(status, "waits").Status.State);
        Assert.Contains("its node two is lost since", Vm(status, "waits").Status.Reason);
        VmRecord later = (await one.CallAsync(VmMethods.Run, new RunRequest { Spec = Pinned("later", "two") })).Vm;
        Assert.Contains("lost since", later.Status.Reason);
        Assert.Equal("one", (await one.CallAsync(VmMethods.Run, new RunRequest { Spec = RecordedVms.Spec("new", NodeLossPolicy.Here) })).Vm.Status.Node);

        Task<NodeBackEvent> back = one.UntilEventAsync<NodeBackEvent>(one.Node.WatchEventsAsync());
        TestNode again = await cluster.StartAsync("two", new NodeStart.Up(), options => vms.With(options) with { MemoryMib = 16384 });

        Assert.Equal("two", (await back).Name);
        await UntilStateAsync(again, "waits", VmState.Running);
        await UntilStateAsync(again, "later", VmState.Running);
        await again.UntilAsync(_ => !Directory.Exists(Path.Combine(cluster.DirectoryOf("two"), "vms", "moves")), "nothing left of the VM that moved");
        Assert.Equal("one", Vm(await again.StatusAsync(), "moves").Status.Node);
        Assert.Single(vms.Lives, life => life.Vm == "waits");
        vms.AssertNeverTwice();
    }

    [Theory]
    [InlineData("KILL")]
    [InlineData("STOP")]
    public async Task The_VM_of_a_node_that_is_killed_or_stands_still_is_ended_by_the_guard_before_another_node_starts_it(string signal)
    {
        await using var cluster = new TestCluster();
        var vms = new RecordedVms(cluster);
        TestNode one = await cluster.UpAsync("one", vms.With);
        await using NodeProcess two = await NodeProcess.StartReadyAsync(cluster, "two", await one.CreateTicketAsync(), vms.Variables("two"));
        await one.UntilLinkedAsync("two");
        await RecordedVms.AddImageAsync(one, cluster.DirectoryOf("one"));
        await RunAsync(one, RecordedVms.Spec("vm", NodeLossPolicy.Elsewhere), "two");
        await UntilStateAsync(one, "vm", VmState.Running);

        RecordedVms.Signal(signal, two.Pid);

        VmLife[] lives = await vms.UntilAsync("vm", lives => lives.Length == 2, "the VM on another node");
        Assert.Equal(["two", "one"], lives.Select(life => life.Host));
        Assert.True(lives[0].To < lives[1].From, $"{lives[0]} and {lives[1]} overlap");
        Assert.False(lives[0].HasEnded);
        await UntilStateAsync(one, "vm", VmState.Running);
        if (signal == "STOP")
        {
            // It finds out that the VM is another's by now.
            RecordedVms.Signal("CONT", two.Pid);
            await one.UntilAsync(seen => seen.Nodes.All(node => node.State == NodeState.Ready), "two back");
            await two.UntilAsync(seen => Vm(seen, "vm").Status.Node == "one", "the VM known as one's");
            await one.UntilAsync(_ => !Directory.Exists(Path.Combine(cluster.DirectoryOf("two"), "vms", "vm")), "nothing left of it on two");
        }

        Assert.Equal(2, vms.Lives.Count);
        vms.AssertNeverTwice();
    }

    [Fact]
    public async Task A_node_that_is_cut_off_stops_its_VMs_that_may_move_and_starts_them_again_when_nobody_has_taken_them()
    {
        await using var cluster = new TestCluster();
        var vms = new RecordedVms(cluster);
        await using NodeProcess one = await NodeProcess.StartReadyAsync(cluster, "one", null, vms.Variables("one"));
        TestNode two = await cluster.StartAsync("two", new NodeStart.Join(await one.CreateTicketAsync()), options => vms.With(options) with { MemoryMib = 32768 });
        await two.UntilLinkedAsync("one");
        await RecordedVms.AddImageAsync(two, cluster.DirectoryOf("two"));
        await RunAsync(two, RecordedVms.Spec("moves", NodeLossPolicy.Elsewhere), "two");
        await RunAsync(two, RecordedVms.Spec("stays", NodeLossPolicy.Here), "two");
        await UntilStateAsync(two, "moves", VmState.Running);
        await UntilStateAsync(two, "stays", VmState.Running);
        IAsyncEnumerable<NodeEvent> events = two.Node.WatchEventsAsync();

        // The only server stands still: nobody can renew anything.
        RecordedVms.Signal("STOP", one.Pid);
        WarningEvent warning = await two.UntilEventAsync<WarningEvent>(events);
        await vms.UntilAsync("moves", lives => lives is [{ HasEnded: true }], "the end of the VM that may move");
        RecordedVms.Signal("CONT", one.Pid);
        VmLife[] lives = await vms.UntilAsync("moves", lives => lives.Length == 2, "the VM started again");

        Assert.Contains("could not renew its lease for", warning.Message);
        Assert.Equal(["two", "two"], lives.Select(life => life.Host));
        await UntilStateAsync(two, "moves", VmState.Running);
        Assert.False(Assert.Single(vms.Lives, life => life.Vm == "stays").HasEnded);
        vms.AssertNeverTwice();
    }

    private static VmSpec Pinned(string name, string node)
    {
        VmSpec spec = RecordedVms.Spec(name, NodeLossPolicy.Here);
        spec.Node = node;
        return spec;
    }

    private static VmRecord Vm(StatusResponse status, string name) => status.Vms.Single(vm => vm.Spec.Name == name);

    private static async Task RunAsync(TestNode through, VmSpec spec, string expected)
    {
        RunResponse run = await through.CallAsync(VmMethods.Run, new RunRequest { Spec = spec });
        Assert.Equal(expected, run.Vm.Status.Node);
    }

    private static Task<StatusResponse> UntilStateAsync(TestNode node, string vm, VmState state) =>
        node.UntilAsync(seen => Vm(seen, vm).Status.State == state, $"{vm} {state}");
}
