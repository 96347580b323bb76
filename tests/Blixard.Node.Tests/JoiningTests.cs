using Blixard.Cluster.Tokens;
using Blixard.Node.Tests.Support;
using Blixard.V1;

namespace Blixard.Node.Tests;

public sealed class JoiningTests
{
    [Fact]
    public async Task Three_nodes_join_and_link_to_each_other()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        TestNode two = await cluster.JoinAsync("two", one);
        TestNode three = await cluster.JoinAsync("three", one);

        StatusResponse seenByOne = await one.UntilLinkedAsync("two", "three");
        await two.UntilLinkedAsync("one", "three");
        StatusResponse seenByThree = await three.UntilLinkedAsync("one", "two");

        Assert.Equal("sqlite", seenByOne.Engine);
        Assert.Equal("one", seenByThree.Leader);
        Assert.Equal(one.Node.ClusterId, seenByThree.ClusterId);
        Assert.Equal(["one", "three", "two"], seenByThree.Nodes.Select(node => node.Member.Node.Name));
        Assert.All(seenByThree.Nodes, node => Assert.Equal(NodeState.Ready, node.State));
    }

    [Fact]
    public async Task A_token_lets_one_node_in_and_no_other()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        JoinTicket ticket = await one.CreateTicketAsync();
        await cluster.StartAsync("two", new NodeStart.Join(ticket));

        NodeStartException refused = await Assert.ThrowsAsync<NodeStartException>(() => cluster.StartAsync("three", new NodeStart.Join(ticket)));

        Assert.Equal(NodeStartFailure.Refused, refused.Failure);
        Assert.Contains("token", refused.Message, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(2, (await one.StatusAsync()).Nodes.Count);
    }
}
