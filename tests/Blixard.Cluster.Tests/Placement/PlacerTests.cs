using Blixard.Cluster.Placement;

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
    public void An_empty_cluster_says_so() => Assert.Equal("the cluster has no nodes", Placer.Place(Request(), []).Reason);

    private static PlacementRequest Request() => new(1, 256, "", s_none);

    private static PlacementNode Node(string name, ulong used = 0) => new(name, true, 4, 1024, 0, used, s_none);
}
