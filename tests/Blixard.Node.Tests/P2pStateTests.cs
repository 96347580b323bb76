using System.Net;
using System.Net.Sockets;
using Blixard.Node.Tests.Support;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Node.Tests;

public sealed class P2pStateTests
{
    [Fact]
    public async Task Without_P2P_all_calls_go_over_gRPC_and_the_status_says_so()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        TestNode two = await cluster.JoinAsync("two", one, options => options with { P2p = false });

        StatusResponse status = await two.UntilAsync(
            seen => seen.Nodes.Any(node => node.Member.Node.Name == "one" && node.Grpc.State == GrpcState.Reachable), "gRPC to one");

        NodeStatus self = status.Nodes.Single(node => node.Member.Node.Name == "two");
        Assert.Equal(P2pState.Off, self.P2P.State);
        NodeStatus other = status.Nodes.Single(node => node.Member.Node.Name == "one");
        Assert.Equal("grpc", other.Transport);
        Assert.Equal(0UL, other.CallsP2P);
        Assert.True(other.CallsGrpc > 0);
        Assert.Equal(NodeState.Ready, other.State);
        StatusResponse seenByOne = await one.UntilAsync(
            seen => seen.Nodes.Any(node => node.Member.Node.Name == "two" && node.State == NodeState.Ready), "two ready over gRPC");
        Assert.Equal(P2pState.Off, seenByOne.Nodes.Single(node => node.Member.Node.Name == "two").P2P.State);
    }

    [Fact]
    public async Task With_P2P_calls_go_over_it()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        TestNode two = await cluster.JoinAsync("two", one);
        await two.UntilLinkedAsync("one");

        StatusResponse before = await two.StatusAsync();
        StatusResponse after = await two.StatusAsync();

        ulong Calls(StatusResponse status) => status.Nodes.Single(node => node.Member.Node.Name == "one").CallsP2P;
        Assert.Equal("p2p", after.Nodes.Single(node => node.Member.Node.Name == "one").Transport);
        // A status reads VMs and images from the server's store.
        Assert.True(Calls(after) > Calls(before));
    }

    [Fact]
    public async Task A_taken_UDP_port_degrades_P2P_until_it_is_free()
    {
        await using var cluster = new TestCluster();
        using var taker = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        taker.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var taken = (IPEndPoint)taker.LocalEndPoint!;
        TestNode one = await cluster.UpAsync("one", options => options with { Bind = [taken] });

        P2pStatus degraded = (await one.StatusAsync()).Nodes.Single().P2P;
        Assert.Equal(P2pState.Degraded, degraded.State);
        Assert.Contains(taken.Port.ToString(), degraded.Reason);
        // The rest of the node works: another one joins over gRPC.
        TestNode two = await cluster.JoinAsync("two", one);
        Assert.Equal(2, (await two.StatusAsync()).Nodes.Count);

        taker.Dispose();

        await one.UntilAsync(status => status.Nodes.Single(node => node.Member.Node.Name == "one").P2P.State == P2pState.Ready, "its own P2P ready");
        await two.UntilLinkedAsync("one");
    }

    [Fact]
    public async Task An_unreadable_key_leaves_the_local_API_and_heals()
    {
        await using var cluster = new TestCluster();
        string key = Path.Combine(cluster.DirectoryOf("one"), "key");
        string id;
        await using (TestNode first = await TestNode.StartAsync(TestNode.Options(cluster, "one"), new NodeStart.Up()))
            id = first.Node.EndpointId!;
        File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);

        TestNode one = await cluster.UpAsync("one");
        NodeStatus self = (await one.StatusAsync()).Nodes.Single();
        Assert.Equal(P2pState.Degraded, self.P2P.State);
        Assert.Contains("key", self.P2P.Reason);
        Assert.Equal(GrpcState.Unreachable, self.Grpc.State);
        Assert.Equal(id, one.Node.EndpointId);

        File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite);

        await one.UntilAsync(
            status => status.Nodes.Single() is { P2P.State: P2pState.Ready, Grpc.State: GrpcState.Reachable }, "P2P and gRPC up again");
        TestNode two = await cluster.JoinAsync("two", one);
        await two.UntilLinkedAsync("one");
    }

    [Fact]
    public async Task A_new_node_with_a_broken_key_starts_and_says_so()
    {
        await using var cluster = new TestCluster();
        Directory.CreateDirectory(cluster.DirectoryOf("one"));
        await File.WriteAllTextAsync(Path.Combine(cluster.DirectoryOf("one"), "key"), "not a key");
        File.SetUnixFileMode(Path.Combine(cluster.DirectoryOf("one"), "key"), UnixFileMode.UserRead | UnixFileMode.UserWrite);

        TestNode one = await cluster.UpAsync("one");

        NodeStatus self = (await one.StatusAsync()).Nodes.Single();
        Assert.Equal("one", self.Member.Node.Name);
        Assert.Equal(P2pState.Degraded, self.P2P.State);
        Assert.Contains("does not hold a secret key", self.P2P.Reason);
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => one.CreateTicketAsync());
        Assert.Equal(RpcStatusCode.FailedPrecondition, refused.StatusCode);
    }
}
