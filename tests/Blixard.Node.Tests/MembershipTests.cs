using Blixard.Cluster.Links;
using Blixard.Node.Events;
using Blixard.Node.Tests.Support;
using Blixard.Rpc.Calls;
using Blixard.V1;
using Google.Protobuf;
using Iroh;
using Iroh.Base;

namespace Blixard.Node.Tests;

public sealed class MembershipTests
{
    [Fact]
    public async Task A_node_that_leaves_is_gone_from_everybody()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        TestNode two = await cluster.JoinAsync("two", one);
        TestNode three = await cluster.JoinAsync("three", one);
        await three.UntilLinkedAsync("one", "two");
        IAsyncEnumerable<NodeEvent> events = three.Node.WatchEventsAsync();

        await two.CallAsync(ClusterMethods.Leave, new LeaveRequest());

        Assert.Equal("left the cluster", await two.Node.Ended.WaitAsync(TestNode.Patience));
        Assert.Equal("two", (await three.UntilEventAsync<MemberLeftEvent>(events)).Name);
        await one.UntilAsync(status => status.Nodes.All(node => node.Member.Node.Name != "two"), "two gone");
        await three.UntilAsync(status => status.Nodes.All(node => node.Member.Node.Name != "two"), "two gone");
        Assert.False(File.Exists(Path.Combine(cluster.DirectoryOf("two"), "node.json")));
    }

    [Fact]
    public async Task The_last_server_cannot_leave()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");

        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => one.CallAsync(ClusterMethods.Leave, new LeaveRequest { Force = true }));

        Assert.Equal(RpcStatusCode.FailedPrecondition, refused.StatusCode);
        Assert.Contains("last server", refused.Message);
        Assert.False(one.Node.Ended.IsCompleted);
    }

    [Fact]
    public async Task A_stranger_may_ask_for_health_and_nothing_else()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        Member member = (await one.StatusAsync()).Nodes.Single().Member;
        await using IrohEndpoint stranger = await IrohEndpoint.BindAsync();
        EndpointTicket address = EndpointTicket.Parse(member.P2PNodeAddr.Ticket);
        await using GuestConnection connection = await GuestConnection.ConnectAsync(stranger, address.Address, TimeProvider.System);
        RpcCallOptions patience = RpcCallOptions.Within(TestNode.Patience);

        HealthCheckResponse health = await connection.Caller.CallAsync(HealthMethods.Check, new HealthCheckRequest(), patience);
        RpcException status = await Assert.ThrowsAsync<RpcException>(() => connection.Caller.CallAsync(ClusterMethods.Status, new StatusRequest(), patience));
        RpcException store = await Assert.ThrowsAsync<RpcException>(() => connection.Caller.CallAsync(StoreMethods.Get, new GetRequest { Key = "/cluster/id" }, patience));
        RpcException shutdown = await Assert.ThrowsAsync<RpcException>(() => connection.Caller.CallAsync(LocalMethods.Shutdown, new ShutdownRequest(), patience));

        Assert.Equal(ServingStatus.Serving, health.Status);
        Assert.All([status, store, shutdown], refusal => Assert.Equal(RpcStatusCode.PermissionDenied, refusal.StatusCode));
    }

    [Fact]
    public async Task A_joining_node_speaks_for_itself_only()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        Cluster.Tokens.JoinTicket ticket = await one.CreateTicketAsync();
        await using IrohEndpoint stranger = await IrohEndpoint.BindAsync();
        await using GuestConnection connection = await GuestConnection.ConnectAsync(stranger, ticket.Servers[0].Address, TimeProvider.System);
        var request = new JoinRequest
        {
            Token = ByteString.CopyFrom(ticket.Secret.Span),
            Node = new NodeInfo { Name = "evil", EndpointId = ByteString.CopyFrom(SecretKey.Generate().PublicKey.Span), GrpcAddress = "127.0.0.1:1" },
        };

        RpcException refused = await Assert.ThrowsAsync<RpcException>(
            () => connection.Caller.CallAsync(ClusterMethods.Join, request, RpcCallOptions.Within(TestNode.Patience)));

        Assert.Equal(RpcStatusCode.PermissionDenied, refused.StatusCode);
    }

    [Fact]
    public async Task Of_two_nodes_with_one_key_the_second_says_so()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        TestNode two = await cluster.JoinAsync("two", one);
        await one.UntilLinkedAsync("two");
        // Somebody copies a whole machine.
        Directory.CreateDirectory(cluster.DirectoryOf("copy"));
        foreach (string file in new[] { "key", "node.json" })
            File.Copy(Path.Combine(cluster.DirectoryOf("two"), file), Path.Combine(cluster.DirectoryOf("copy"), file));

        TestNode copy = await cluster.StartAsync("copy", new NodeStart.Up(), options => options with { Name = "two" });
        StatusResponse status = await copy.UntilAsync(
            seen => seen.Nodes.Single(node => node.Member.Node.Name == "two").P2P is { State: P2pState.Degraded, Reason.Length: > 0 }, "a conflict of keys");

        Assert.Contains("same key", status.Nodes.Single(node => node.Member.Node.Name == "two").P2P.Reason);
        Assert.Equal(P2pState.Ready, (await two.StatusAsync()).Nodes.Single(node => node.Member.Node.Name == "two").P2P.State);
    }

    [Fact]
    public async Task A_worker_makes_tickets_that_lead_to_the_server()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        TestNode two = await cluster.JoinAsync("two", one);
        await two.UntilLinkedAsync("one");

        TestNode three = await cluster.JoinAsync("three", two);

        await three.UntilLinkedAsync("one", "two");
    }

    [Fact]
    public async Task A_server_token_is_refused_in_words()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");

        RpcException refused = await Assert.ThrowsAsync<RpcException>(
            () => one.CallAsync(ClusterMethods.CreateToken, new CreateTokenRequest { Role = NodeRole.Server }));

        Assert.Contains("only workers can join", refused.Message);
    }
}
