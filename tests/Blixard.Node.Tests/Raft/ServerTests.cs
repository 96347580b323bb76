using System.Diagnostics;
using Blixard.Cluster.Tokens;
using Blixard.Node.Events;
using Blixard.Node.Tests.Support;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Node.Tests.Raft;

public sealed class ServerTests
{
    [Fact]
    public async Task One_server_with_etcd_keeps_its_state_over_a_restart()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpEtcdAsync("one");
        StatusResponse before = await one.UntilAsync(status => status.Leader == "one", "itself as the leader");
        await one.DisposeAsync();

        TestNode again = await cluster.UpAsync("one");
        StatusResponse after = await again.UntilAsync(status => status is { Leader: "one", StoreReason: "" }, "its state again");

        Assert.Equal("etcd", before.Engine);
        Assert.Equal("linearizable", before.Consistency);
        Assert.True(before.RaftTerm > 0);
        Assert.Equal(before.ClusterId, after.ClusterId);
        Assert.Equal(before.Nodes.Single().Member.JoinedAt, after.Nodes.Single().Member.JoinedAt);
    }

    [Fact]
    public async Task The_only_server_does_not_begin_with_an_empty_store_where_its_data_vanished()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpEtcdAsync("one");
        await one.UntilAsync(_ => File.Exists(Path.Combine(cluster.DirectoryOf("one"), "members.pb")), "its record on disk");
        await one.DisposeAsync();
        Directory.Delete(Path.Combine(cluster.DirectoryOf("one"), "etcd"), recursive: true);

        NodeStartException failed = await Assert.ThrowsAsync<NodeStartException>(() => cluster.UpAsync("one"));

        Assert.Contains("restore a backup", failed.Message);
    }

    [Fact]
    public async Task Another_engine_than_the_clusters_is_refused_with_the_way_to_change_it()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        await one.DisposeAsync();

        NodeStartException refused = await Assert.ThrowsAsync<NodeStartException>(() => cluster.UpEtcdAsync("one"));

        Assert.Equal(NodeStartFailure.Usage, refused.Failure);
        Assert.Contains("store migrate --to etcd", refused.Message);
    }

    [Fact]
    public async Task A_missing_etcd_is_told_and_leaves_nothing_behind()
    {
        await using var cluster = new TestCluster();

        NodeStartException failed = await Assert.ThrowsAsync<NodeStartException>(
            () => cluster.UpEtcdAsync("one", options => options with { EtcdProgram = "no-such-etcd" }));

        Assert.Contains("no-such-etcd", failed.Message);
        Assert.Equal("sqlite", (await (await cluster.UpAsync("one")).StatusAsync()).Engine);
    }

    [Fact]
    public async Task A_server_without_etcd_does_not_become_a_member()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpEtcdAsync("one");
        JoinTicket ticket = await one.CreateTicketAsync(role: NodeRole.Server);

        NodeStartException failed = await Assert.ThrowsAsync<NodeStartException>(
            () => cluster.StartAsync("two", new NodeStart.Join(ticket, AsServer: true), options => options with { EtcdProgram = "no-such-etcd" }));

        Assert.Contains("no-such-etcd", failed.Message);
        Assert.Single((await one.StatusAsync()).Nodes);
    }

    [Fact]
    public async Task Whom_nobody_knows_cannot_be_replaced()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpEtcdAsync("one");
        JoinTicket ticket = await one.CreateTicketAsync(role: NodeRole.Server);

        NodeStartException refused = await Assert.ThrowsAsync<NodeStartException>(
            () => cluster.StartAsync("two", new NodeStart.Join(ticket, AsServer: true, Replace: "ome")));

        Assert.Equal(NodeStartFailure.Refused, refused.Failure);
        Assert.Contains("No member of this cluster is called ome; its servers are one.", refused.Message);
        Assert.Single((await one.StatusAsync()).Nodes);
    }

    [Fact]
    public async Task SQLite_has_one_server_and_says_how_to_have_more()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        JoinTicket ticket = await one.CreateTicketAsync();

        RpcException token = await Assert.ThrowsAsync<RpcException>(() => one.CreateTicketAsync(role: NodeRole.Server));
        NodeStartException join = await Assert.ThrowsAsync<NodeStartException>(() => cluster.StartAsync("two", new NodeStart.Join(ticket, AsServer: true)));

        Assert.Contains("store migrate --to etcd", token.Message);
        Assert.Equal(NodeStartFailure.Refused, join.Failure);
        Assert.Contains("store migrate --to etcd", join.Message);
    }

    [Fact]
    public async Task Three_servers_and_a_worker_outlive_the_loss_of_any_one_and_start_again_from_nothing()
    {
        await using var cluster = new TestCluster();
        (TestNode one, TestNode two, TestNode three) = await cluster.UpThreeAsync();
        TestNode worker = await cluster.JoinAsync("worker", two);
        StatusResponse whole = await worker.UntilAsync(status => status.Nodes.Count == 4 && status.Leader.Length > 0 && status.StoreReason.Length == 0, "everybody");
        await one.UntilAsync(status => WayTo(status, "two") == RaftWay.P2P && WayTo(status, "three") == RaftWay.P2P, "Raft over P2P");

        await KillEtcdAsync(cluster, one);

        whole = await worker.UntilAsync(status => status.Leader.Length > 0, "a leader");

        // The leader goes; the others have a new one, and the worker goes on with another server.
        TestNode leader = new[] { one, two, three }.Single(node => node.Node.Name == whole.Leader);
        TestNode[] rest = [.. new[] { one, two, three }.Except([leader])];
        await leader.DisposeAsync();
        await rest[0].UntilAsync(status => status.Leader.Length > 0 && status.Leader != leader.Node.Name && status.StoreReason.Length == 0, "another leader");
        await worker.UntilAsync(status => status.StoreReason.Length == 0 && status.Nodes.Any(node => node.Member.Node.Name == leader.Node.Name && !node.Raft.Healthy), "the loss");
        JoinTicket ticket = await worker.CreateTicketAsync();
        TestNode back = await cluster.UpAsync(leader.Node.Name);
        await back.UntilAsync(status => status.StoreReason.Length == 0 && status.Nodes.Count(node => node.Raft is { Healthy: true }) == 3, "its return");

        // All end; without a quorum a server says so; then the state is there again.
        await Task.WhenAll(rest.Append(back).Append(worker).Select(node => node.DisposeAsync().AsTask()));
        TestNode first = await cluster.UpAsync("one");
        StatusResponse alone = await first.UntilAsync(status => status.StoreReason.Contains("quorum", StringComparison.Ordinal), "no quorum");
        TestNode second = await cluster.UpAsync("two");
        TestNode workerAgain = await cluster.UpAsync("worker");
        StatusResponse after = await workerAgain.UntilAsync(status => status is { StoreReason: "", Leader.Length: > 0 }, "the state again");

        Assert.Equal("may be stale", alone.Consistency);
        Assert.Contains("2 of 3 servers do not answer (three, two)", alone.StoreReason);
        Assert.Equal(whole.ClusterId, after.ClusterId);
        Assert.Equal(4, after.Nodes.Count);
        // The ticket that was made while one server was away still lets a node in.
        await cluster.StartAsync("late", new NodeStart.Join(ticket));
        await second.UntilAsync(status => status.Nodes.Count == 5, "the late one");
    }

    // A server whose etcd was killed goes on by the others' until its own serves again.
    private static async Task KillEtcdAsync(TestCluster cluster, TestNode node)
    {
        IAsyncEnumerable<NodeEvent> events = node.Node.WatchEventsAsync();
        string directory = Path.Combine(cluster.DirectoryOf(node.Node.Name), "etcd");
        // etcd's working directory tells whose it is.
        using (Process etcd = Process.GetProcessesByName("etcd").Single(process => new FileInfo($"/proc/{process.Id}/cwd").LinkTarget == directory))
            etcd.Kill();
        using var patience = new CancellationTokenSource(TestNode.Patience);
        await foreach (NodeEvent item in events.WithCancellation(patience.Token))
        {
            if (item is EtcdEvent { State: "backing-off" })
                break;
        }

        await node.UntilAsync(status => status.StoreReason.Length == 0, "the store");
        await node.UntilAsync(status => status.Nodes.Count(other => other.Raft is { Healthy: true }) == 3, "its etcd again");
    }

    private static RaftWay WayTo(StatusResponse status, string name) =>
        status.Nodes.Single(node => node.Member.Node.Name == name).Raft?.Tunnel?.Way ?? RaftWay.Unspecified;
}
