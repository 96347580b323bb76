using Blixard.Node.Tests.Support;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Node.Tests.Raft;

public sealed class LeavingTests
{
    [Fact]
    public async Task A_server_leaves_down_to_the_last_one_which_may_not()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpEtcdAsync("one");
        TestNode two = await cluster.JoinServerAsync("two", one);
        await one.UntilAsync(status => Voters(status) == 2 && status.Leader == "one", "two voters");

        // The leader itself goes: the office is handed over first.
        await one.CallAsync(ClusterMethods.Leave, new LeaveRequest());

        Assert.Equal("left the cluster", await one.Node.Ended.WaitAsync(TestNode.Patience));
        await one.DisposeAsync();
        Assert.False(File.Exists(Path.Combine(cluster.DirectoryOf("one"), "node.json")));
        Assert.False(File.Exists(Path.Combine(cluster.DirectoryOf("one"), "members.pb")));
        Assert.False(Directory.Exists(Path.Combine(cluster.DirectoryOf("one"), "etcd")));
        Assert.True(Directory.Exists(Path.Combine(cluster.DirectoryOf("one"), "etcd.left-1")));
        await two.UntilAsync(status => status is { Nodes.Count: 1, Leader: "two", StoreReason: "" }, "itself alone");
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => two.CallAsync(ClusterMethods.Leave, new LeaveRequest { Force = true }));
        Assert.Equal(RpcStatusCode.FailedPrecondition, refused.StatusCode);
        Assert.Contains("last server", refused.Message);

        // What has left can come back, as a new member with the same key.
        TestNode again = await cluster.JoinServerAsync("one", two);
        await again.UntilAsync(status => Voters(status) == 2 && status.StoreReason.Length == 0, "two voters again");
    }

    [Fact]
    public async Task A_server_that_the_others_need_stays_and_one_that_is_dead_wiped_or_removed_is_replaced_let_in_again_or_ends()
    {
        await using var cluster = new TestCluster();
        (TestNode one, TestNode two, TestNode three) = await cluster.UpThreeAsync();
        NodeStartException alive = await Assert.ThrowsAsync<NodeStartException>(() => cluster.JoinServerAsync("new", one, replace: "three"));
        await three.DisposeAsync();
        await one.UntilAsync(status => status.Nodes.Single(node => node.Member.Node.Name == "three").Raft.Role == RaftRole.Unspecified && status.Leader.Length > 0, "three dead");

        RpcException needed = await Assert.ThrowsAsync<RpcException>(() => one.CallAsync(ClusterMethods.Leave, new LeaveRequest { Name = "two" }));
        // The machine is gone with its disk: a new one takes the name.
        Directory.Move(cluster.DirectoryOf("three"), cluster.DirectoryOf("dead"));
        TestNode newcomer = await cluster.JoinServerAsync("three", two, replace: "three");

        Assert.Equal(NodeStartFailure.Refused, alive.Failure);
        Assert.Contains("three is alive", alive.Message);
        Assert.Equal(RpcStatusCode.FailedPrecondition, needed.StatusCode);
        Assert.Contains("majority", needed.Message);
        StatusResponse after = await newcomer.UntilAsync(status => Voters(status) == 3 && status.StoreReason.Length == 0, "three voters");
        Assert.Equal(["one", "three", "two"], after.Nodes.Select(node => node.Member.Node.Name));
        Assert.Equal(newcomer.Node.EndpointId, Convert.ToHexStringLower(after.Nodes[1].Member.Node.EndpointId.Span));

        // The same server loses its data and gets them again; at last it is removed while it is away, and ends when it hears of it.
        TestNode wiped = await WipeAsync(cluster, newcomer);
        await RemoveWhileAwayAsync(cluster, wiped, through: one);
    }

    // Its key and its record are there: it is let in anew by that.
    private static async Task<TestNode> WipeAsync(TestCluster cluster, TestNode node)
    {
        string name = node.Node.Name;
        await node.DisposeAsync();
        Directory.Delete(Path.Combine(cluster.DirectoryOf(name), "etcd"), recursive: true);
        TestNode wiped = await cluster.UpAsync(name);
        await wiped.UntilAsync(status => Voters(status) == 3 && status.StoreReason.Length == 0, "three voters");
        return wiped;
    }

    private static async Task RemoveWhileAwayAsync(TestCluster cluster, TestNode node, TestNode through)
    {
        string name = node.Node.Name;
        await node.DisposeAsync();
        await through.UntilAsync(status => status.Nodes.Single(other => other.Member.Node.Name == name).Raft.Role == RaftRole.Unspecified, "it gone");
        await through.CallAsync(ClusterMethods.Leave, new LeaveRequest { Name = name });
        TestNode removed = await cluster.UpAsync(name);
        Assert.Contains("removed", await removed.Node.Ended.WaitAsync(TestNode.Patience));
        await removed.DisposeAsync();
        Assert.True(Directory.Exists(Path.Combine(cluster.DirectoryOf(name), "etcd.left-1")));
    }

    private static int Voters(StatusResponse status) => status.Nodes.Count(node => node.Raft is { Healthy: true, Role: RaftRole.Leader or RaftRole.Follower });
}
