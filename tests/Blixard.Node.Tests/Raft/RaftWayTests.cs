using System.Diagnostics;
using Blixard.Node.Events;
using Blixard.Node.Tests.Support;
using Blixard.V1;

namespace Blixard.Node.Tests.Raft;

public sealed class RaftWayTests
{
    [Fact]
    public async Task A_server_without_P2P_takes_part_over_gRPC_and_the_status_says_so()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpEtcdAsync("one");
        TestNode two = await cluster.JoinServerAsync("two", one, options => options with { P2p = false });

        StatusResponse seen = await one.UntilAsync(status => Tunnel(status, "two") is { Way: RaftWay.Grpc, BytesGrpc: > 0 }, "Raft over gRPC");
        await two.UntilAsync(status => Tunnel(status, "one") is { Way: RaftWay.Grpc, BytesGrpc: > 0 } && status.StoreReason.Length == 0, "Raft over gRPC");

        Assert.Equal(0u, Tunnel(seen, "two")!.BytesP2P);
        Assert.NotNull(Tunnel(seen, "two")!.Since);
        Assert.Null(Tunnel(seen, "one"));
    }

    [Fact]
    public async Task A_killed_etcd_starts_again_and_its_node_goes_on_meanwhile()
    {
        await using var cluster = new TestCluster();
        (TestNode one, _, _) = await cluster.UpThreeAsync();
        IAsyncEnumerable<NodeEvent> events = one.Node.WatchEventsAsync();

        using (Process etcd = FindEtcd(cluster.DirectoryOf("one")))
            etcd.Kill();

        using var patience = new CancellationTokenSource(TestNode.Patience);
        await foreach (NodeEvent item in events.WithCancellation(patience.Token))
        {
            if (item is EtcdEvent { State: "backing-off" })
                break;
        }

        // The node's own calls are answered by others until its etcd serves again.
        Assert.Equal("", (await one.UntilAsync(status => status.StoreReason.Length == 0, "the store")).StoreReason);
        await one.UntilAsync(status => status.Nodes.Count(node => node.Raft is { Healthy: true }) == 3, "its etcd again");
    }

    private static RaftTunnel? Tunnel(StatusResponse status, string name) => status.Nodes.SingleOrDefault(node => node.Member.Node.Name == name)?.Raft?.Tunnel;

    // etcd's working directory tells which node it belongs to.
    private static Process FindEtcd(string directory) => Process.GetProcessesByName("etcd")
        .Single(process => new FileInfo($"/proc/{process.Id}/cwd").LinkTarget == Path.Combine(directory, "etcd"));
}
