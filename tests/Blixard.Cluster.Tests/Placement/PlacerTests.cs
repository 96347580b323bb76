using Blixard.Cluster.Placement;
using Blixard.V1;

namespace Blixard.Cluster.Tests.Placement;

public class PlacerTests
{
    private static readonly Dictionary<string, string> s_none = [];

    [Fact]
    public void The_node_with_the_most_free_memory_is_chosen_whatever_the_order()
    {
        PlacementNode[] nodes = [Node("a", used: 512), Node("b", used: 0), Node("c", used: 256)];
        Assert.Equal("b", Placer.Place(Request(), nodes).Node);
        Assert.Equal("b", Placer.Place(Request(), [.. nodes.Reverse()]).Node);
    }

    [Fact]
    public void Ties_go_to_the_first_name() => Assert.Equal("a", Placer.Place(Request(), [Node("b"), Node("a")]).Node);

    [Fact]
    public void The_node_that_was_asked_for_is_taken_although_another_has_more_room() =>
        Assert.Equal("a", Placer.Place(Request() with { Node = "a" }, [Node("a", used: 512), Node("b")]).Node);

    [Theory]
    [InlineData("z", "no member is named 'z'")]
    [InlineData("down", "down is not ready")]
    [InlineData("full", "full has 0 MiB of memory free, 256 needed")]
    [InlineData("busy", "busy has 0 virtual CPUs free, 1 needed")]
    public void An_asked_for_node_that_cannot_gives_the_reason(string name, string reason)
    {
        PlacementDecision decision = Placer.Place(
            Request() with { Node = name },
            [Node("down") with { IsReady = false }, Node("full", used: 1024), Node("busy") with { UsedVcpus = 4 }]);
        Assert.Null(decision.Node);
        Assert.Equal(reason, decision.Reason);
    }

    [Fact]
    public void Labels_must_all_match()
    {
        var labels = new Dictionary<string, string> { ["zone"] = "a", ["disk"] = "ssd" };
        PlacementNode[] nodes = [Node("x") with { Labels = new Dictionary<string, string> { ["zone"] = "a" } }, Node("y") with { Labels = labels }];
        Assert.Equal("y", Placer.Place(Request() with { Labels = labels }, nodes).Node);
        Assert.Equal("x lacks the label disk=ssd", Placer.Place(Request() with { Labels = labels, Node = "x" }, nodes).Reason);
    }

    [Fact]
    public void When_nobody_can_every_node_says_why() =>
        Assert.Equal(
            "a is not ready; b has 100 MiB of memory free, 256 needed",
            Placer.Place(Request(), [Node("b", used: 924), Node("a") with { IsReady = false }]).Reason);

    [Fact]
    public void A_node_that_publishes_a_port_already_is_no_place_for_a_VM_that_publishes_it_too()
    {
        PlacementNode taken = Node("a").With(Publishing("web-1", 8080, 22)), free = Node("b", used: 256).With(Publishing("other", 9090));
        var request = PlacementRequest.Of(Publishing("web-2", 443, 8080));

        Assert.Equal("b", Placer.Place(request, [taken, free]).Node);
        Assert.Equal("a publishes port 8080 for the VM web-1 already", Placer.Place(request with { Node = "a" }, [taken, free]).Reason);
        Assert.Equal(
            "a publishes port 8080 for the VM web-1 already; b publishes port 443 for the VM web-3 already",
            Placer.Place(request, [taken, free.With(Publishing("web-3", 443))]).Reason);
        // The ports of guests may be the same, and without ports a node with ports is as good as any.
        Assert.Equal("a", Placer.Place(Request(), [taken, free]).Node);
    }

    [Fact]
    public void A_VM_takes_room_and_ports_and_leaves_others_theirs()
    {
        PlacementNode node = Node("a").With(Publishing("web-1", 8080)).With(Publishing("web-2", 8080, 8081)).With(new VmSpec { Name = "mute", Vcpus = 1, MemoryMib = 100 });

        Assert.Equal((3U, 612UL), (node.UsedVcpus, node.UsedMemoryMib));
        Assert.Equal([(8080U, "web-1"), (8081U, "web-2")], node.PublishedPorts.Select(pair => (pair.Key, pair.Value)));
    }

    [Fact]
    public void An_empty_cluster_says_so() => Assert.Equal("the cluster has no nodes", Placer.Place(Request(), []).Reason);

    private static PlacementRequest Request() => new(1, 256, "", s_none, []);

    private static VmSpec Publishing(string name, params uint[] ports) => new()
    {
        Name = name, Vcpus = 1, MemoryMib = 256, Network = new VmNetwork { Ports = { ports.Select(port => new PublishedPort { HostPort = port, GuestPort = 80 }) } },
    };

    private static PlacementNode Node(string name, ulong used = 0) => new(name, true, 4, 1024, 0, used, s_none);
}
