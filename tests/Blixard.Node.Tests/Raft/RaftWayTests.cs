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

    private static RaftTunnel? Tunnel(StatusResponse status, string name) => status.Nodes.SingleOrDefault(node => node.Member.Node.Name == name)?.Raft?.Tunnel;
}
