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

    [Fact]
    public async Task An_expired_token_is_refused_as_such()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        JoinTicket ticket = await one.CreateTicketAsync(TimeSpan.FromSeconds(1));
        // The shortest life that a token can have; it must pass.
        await Task.Delay(TimeSpan.FromSeconds(1.1));

        NodeStartException refused = await Assert.ThrowsAsync<NodeStartException>(() => cluster.StartAsync("two", new NodeStart.Join(ticket)));

        Assert.Equal(NodeStartFailure.Refused, refused.Failure);
        Assert.Contains("expired", refused.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_wrong_token_is_refused_over_P2P_and_over_gRPC()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        JoinTicket good = await one.CreateTicketAsync();
        var wrong = new JoinTicket(good.ClusterId, good.Servers, new byte[JoinTicket.SecretLength]);

        NodeStartException overP2p = await Assert.ThrowsAsync<NodeStartException>(() => cluster.StartAsync("two", new NodeStart.Join(wrong)));
        NodeStartException overGrpc = await Assert.ThrowsAsync<NodeStartException>(
            () => cluster.StartAsync("three", new NodeStart.Join(wrong), options => options with { P2p = false }));

        Assert.All([overP2p, overGrpc], refused => Assert.Equal(NodeStartFailure.Refused, refused.Failure));
        Assert.Single((await one.StatusAsync()).Nodes);
    }

    [Fact]
    public async Task A_taken_name_is_refused_and_the_token_stays_good()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        JoinTicket ticket = await one.CreateTicketAsync();

        NodeStartException refused = await Assert.ThrowsAsync<NodeStartException>(
            () => cluster.StartAsync("two", new NodeStart.Join(ticket), options => options with { Name = "one" }));
        Assert.Contains("Another node of this cluster is called one", refused.Message);

        await cluster.StartAsync("two", new NodeStart.Join(ticket));
    }

    [Fact]
    public async Task A_server_that_is_nowhere_is_named_with_all_that_was_tried()
    {
        await using var cluster = new TestCluster();
        JoinTicket ticket;
        await using (TestNode gone = await TestNode.StartAsync(TestNode.Options(cluster, "one"), new NodeStart.Up()))
            ticket = await gone.CreateTicketAsync();

        NodeStartException failed = await Assert.ThrowsAsync<NodeStartException>(() => cluster.StartAsync("two", new NodeStart.Join(ticket)));

        Assert.Equal(NodeStartFailure.Unreachable, failed.Failure);
        Assert.Contains("over P2P", failed.Message);
        Assert.Contains($"over gRPC at {ticket.Servers[0].GrpcAddress}", failed.Message);
    }

    [Fact]
    public async Task A_data_directory_that_is_in_use_is_named_with_its_user()
    {
        await using var cluster = new TestCluster();
        await cluster.UpAsync("one");

        NodeStartException failed = await Assert.ThrowsAsync<NodeStartException>(() => cluster.UpAsync("one"));

        Assert.Contains($"Another blixard node (pid {Environment.ProcessId}) already uses", failed.Message);
    }

    [Fact]
    public async Task A_member_does_not_join_another_cluster()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        TestNode other = await cluster.UpAsync("other");
        TestNode two = await cluster.JoinAsync("two", one);
        await two.DisposeAsync();
        JoinTicket ticket = await other.CreateTicketAsync();

        NodeStartException refused = await Assert.ThrowsAsync<NodeStartException>(() => cluster.StartAsync("two", new NodeStart.Join(ticket)));

        Assert.Equal(NodeStartFailure.Refused, refused.Failure);
        Assert.Contains("belongs to", refused.Message);
    }

    [Fact]
    public async Task A_taken_gRPC_address_ends_the_start_with_a_sentence()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        var taken = System.Net.IPEndPoint.Parse(one.Node.GrpcAddress!);

        NodeStartException failed = await Assert.ThrowsAsync<NodeStartException>(() => cluster.UpAsync("two", options => options with { Grpc = taken }));

        Assert.Equal(NodeStartFailure.Failed, failed.Failure);
        Assert.Contains(taken.ToString(), failed.Message);
    }
}
