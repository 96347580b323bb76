using Blixard.Cluster.Liveness;
using Blixard.Cluster.Placement;
using Blixard.Cluster.Tests.Support;
using Blixard.V1;
using Google.Protobuf.WellKnownTypes;
using Iroh.Base;

namespace Blixard.Cluster.Tests.Placement;

public class FailoverPlannerTests
{
    private static readonly DateTimeOffset s_noon = new(2026, 1, 2, 12, 0, 3, TimeSpan.Zero);

    [Fact]
    public void A_VM_that_may_run_elsewhere_moves_to_the_node_with_the_most_room()
    {
        FailoverDecision decision = Assert.Single(FailoverPlanner.Plan([Lost("a"), Node("b", free: 1024), Node("c", free: 2048)], [Vm("x", "a"), Vm("y", "b")]));

        Assert.Equal(("x", "a", "c"), (decision.Vm, decision.From, decision.To));
        Assert.Equal("moved from a, lost since 2026-01-02 12:00:03Z", decision.Reason);
    }

    [Fact]
    public void A_VM_that_shall_run_here_waits()
    {
        FailoverDecision decision = Decide(Vm("x", "a", spec => spec.OnNodeLoss = NodeLossPolicy.Here));

        Assert.Null(decision.To);
        Assert.Equal("its node a is lost since 2026-01-02 12:00:03Z; it waits for it (here)", decision.Reason);
    }

    [Fact]
    public void What_keeps_a_VM_from_moving_is_said()
    {
        Assert.Contains("no other node can take it: b has 1024 MiB of memory free, 2048 needed", Decide(Vm("x", "a", spec => spec.MemoryMib = 2048)).Reason);
        Assert.Contains("b lacks the label zone=z", Decide(Vm("x", "a", spec => spec.NodeLabels["zone"] = "z")).Reason);
        Assert.Contains("asked for on this node by name", Decide(Vm("x", "a", spec => spec.Node = "a")).Reason);
        Assert.Contains("wanted stopped", Decide(Vm("x", "a", spec => spec.Desired = DesiredState.Stopped)).Reason);
        Assert.Contains("there is no other node", Assert.Single(FailoverPlanner.Plan([Lost("a")], [Vm("x", "a")])).Reason);
    }

    [Theory]
    [InlineData(RestartPolicy.Never, VmState.Stopped, false)]
    [InlineData(RestartPolicy.Never, VmState.Failed, false)]
    [InlineData(RestartPolicy.OnFailure, VmState.Stopped, false)]
    [InlineData(RestartPolicy.OnFailure, VmState.Failed, true)]
    [InlineData(RestartPolicy.Always, VmState.Stopped, true)]
    [InlineData(RestartPolicy.Never, VmState.Running, true)]
    [InlineData(RestartPolicy.Never, VmState.Created, true)]
    public void What_would_have_stayed_down_stays_down(RestartPolicy restart, VmState reported, bool moves)
    {
        FailoverDecision decision = Decide(Vm("x", "a", spec => spec.Restart = restart, reported));

        Assert.Equal(moves, decision.To is not null);
        Assert.Equal(!moves, decision.Reason.Contains("had ended before", StringComparison.Ordinal));
    }

    [Fact]
    public void VMs_that_move_together_do_not_take_the_same_room()
    {
        IReadOnlyList<FailoverDecision> decisions = FailoverPlanner.Plan(
            [Lost("a"), Node("b", free: 1024), Node("c", free: 600)], [Vm("x", "a"), Vm("y", "a"), Vm("z", "a"), Vm("zz", "a")]);

        Assert.Equal(["b", "c", "b", null], decisions.Select(decision => decision.To));
    }

    [Fact]
    public void VMs_that_publish_the_same_port_do_not_move_to_one_node_and_the_last_says_who_has_it()
    {
        Action<VmSpec> publish = spec => spec.Network = new VmNetwork { Ports = { new PublishedPort { HostPort = 8080, GuestPort = 80 } } };
        IReadOnlyList<FailoverDecision> decisions = FailoverPlanner.Plan(
            [Lost("a"), Lost("d"), Node("b", free: 4096), Node("c", free: 2048)], [Vm("x", "a", publish), Vm("y", "d", publish), Vm("z", "a", publish), Vm("zz", "a")]);

        Assert.Equal(["b", "c", null, "b"], decisions.Select(decision => decision.To));
        Assert.EndsWith(
            "no other node can take it: b publishes port 8080 for the VM x already; c publishes port 8080 for the VM y already", decisions[2].Reason);
    }

    [Fact]
    public void Nothing_is_decided_while_nobody_is_lost() =>
        Assert.Empty(FailoverPlanner.Plan([Node("a", free: 0), Node("b", free: 1024)], [Vm("x", "a")]));

    [Fact]
    public void People_are_shown_what_a_VM_of_a_lost_node_waits_for_and_the_others_as_they_are()
    {
        VmRecord waiting = Record("x", "node-1", NodeLossPolicy.Here), moving = Record("y", "node-1", NodeLossPolicy.Elsewhere), other = Record("z", "node-2", NodeLossPolicy.Here);
        var members = new[] { 1, 2 }.ToDictionary(TemporaryStore.Id, number => new Member { Node = TemporaryStore.Node(number) });
        var view = new LivenessView(
            LivenessView.Empty.Alive.Add(TemporaryStore.Id(2), new NodeAlive()),
            LivenessView.Empty.Recorded.Add(TemporaryStore.Id(1), new NodeLost { Since = Timestamp.FromDateTimeOffset(s_noon) }));
        VmRecord[] records = [waiting, moving, other];

        IReadOnlyList<VmRecord> shown = FailoverFacts.Show(records, FailoverFacts.Nodes(members, view, records, _ => false));

        Assert.Equal([VmState.Unknown, VmState.Unknown, VmState.Running], shown.Select(vm => vm.Status.State));
        Assert.Equal("its node node-1 is lost since 2026-01-02 12:00:03Z; it waits for it (here)", shown[0].Status.Reason);
        Assert.Equal("about to be moved from node-1, lost since 2026-01-02 12:00:03Z, to node-2", shown[1].Status.Reason);
        Assert.Same(other, shown[2]);
        Assert.Equal(VmState.Running, waiting.Status.State);
        LivenessView back = view with { Alive = view.Alive.Add(TemporaryStore.Id(1), new NodeAlive()) };
        Assert.Same(records, FailoverFacts.Show(records, FailoverFacts.Nodes(members, back, records, _ => false)));
    }

    [Fact]
    public void A_VM_whose_node_is_no_member_is_not_shown_as_running()
    {
        VmRecord astray = Record("x", "node-9", NodeLossPolicy.Elsewhere), other = Record("y", "node-1", NodeLossPolicy.Here);
        var members = new Dictionary<EndpointId, Member> { [TemporaryStore.Id(1)] = new() { Node = TemporaryStore.Node(1) } };
        VmRecord[] records = [astray, other];

        IReadOnlyList<VmRecord> shown = FailoverFacts.Show(records, FailoverFacts.Nodes(members, LivenessView.Empty, records, _ => true));

        Assert.Equal([VmState.Unknown, VmState.Running], shown.Select(vm => vm.Status.State));
        Assert.Contains("its node node-9 is no member of this cluster", shown[0].Status.Reason);
        Assert.Same(records, FailoverFacts.Show(records, []));
    }

    [Fact]
    public void A_node_offers_what_its_VMs_leave_of_its_room_and_ports()
    {
        VmRecord first = Record("x", "node-1", NodeLossPolicy.Here), second = Record("y", "node-1", NodeLossPolicy.Here), other = Record("z", "node-2", NodeLossPolicy.Here);
        first.Spec.Network = new VmNetwork { Ports = { new PublishedPort { HostPort = 8080, GuestPort = 80 } } };
        // Two that were placed at the same moment may publish the same port.
        second.Spec.Network = first.Spec.Network.Clone();
        var members = new Dictionary<EndpointId, Member> { [TemporaryStore.Id(1)] = new() { Node = TemporaryStore.Node(1) } };

        PlacementNode node = Assert.Single(FailoverFacts.Nodes(members, LivenessView.Empty, [first, second, other], _ => true)).Node;

        Assert.Equal((true, 2U, 512UL), (node.IsReady, node.UsedVcpus, node.UsedMemoryMib));
        Assert.Equal((8080U, "x"), Assert.Single(node.PublishedPorts.Select(pair => (pair.Key, pair.Value))));
    }

    private static FailoverDecision Decide(FailoverVm vm) => Assert.Single(FailoverPlanner.Plan([Lost("a"), Node("b", free: 1024)], [vm]));

    private static VmRecord Record(string name, string node, NodeLossPolicy policy) => new()
    {
        Spec = new VmSpec { Name = name, Vcpus = 1, MemoryMib = 256, OnNodeLoss = policy, Restart = RestartPolicy.OnFailure, Desired = DesiredState.Running },
        Status = new VmStatus { Node = node, State = VmState.Running, Reason = "running" },
    };

    private static FailoverNode Lost(string name) => new(Node(name, free: 4096).Node with { IsReady = false }, s_noon);

    private static FailoverNode Node(string name, ulong free) =>
        new(new PlacementNode(name, true, 4, 4096, 0, 4096 - free, new Dictionary<string, string>()), null);

    private static FailoverVm Vm(string name, string node, Action<VmSpec>? change = null, VmState reported = VmState.Running)
    {
        var spec = new VmSpec
        {
            Name = name, Vcpus = 1, MemoryMib = 512, Restart = RestartPolicy.OnFailure, Desired = DesiredState.Running, OnNodeLoss = NodeLossPolicy.Elsewhere,
        };
        change?.Invoke(spec);
        return new FailoverVm(spec, node, reported);
    }
}
