using Blixard.Cluster.Membership;
using Blixard.Cluster.Store;
using Blixard.Cluster.Tests.Support;
using Blixard.V1;
using Google.Protobuf;

namespace Blixard.Cluster.Tests.Membership;

public sealed class RestoredMembersTests
{
    [Fact]
    public void Other_servers_go_with_their_names_and_workers_stay()
    {
        List<StoreEntry> entries =
        [
            .. Record(1, NodeRole.Server), .. Record(2, NodeRole.Server), .. Record(3, NodeRole.Worker), Entry("/vms/web/spec", [1]),
        ];
        entries.Sort((a, b) => string.CompareOrdinal(a.Key, b.Key));

        RestoredMembers restored = RestoredMembers.From(entries, TemporaryStore.Id(1));

        Assert.Equal(["node-2"], restored.RemovedServers);
        Assert.Equal("node-1", restored.OwnName);
        Assert.Equal(
            entries.Select(entry => entry.Key).Except([$"/members/{TemporaryStore.Id(2)}", "/names/node-2"]),
            restored.Entries.Select(entry => entry.Key));
        Assert.True(restored.IsTakenByOther("node-3", TemporaryStore.Id(1)));
        Assert.False(restored.IsTakenByOther("node-2", TemporaryStore.Id(1)));
        Assert.False(restored.IsTakenByOther("node-1", TemporaryStore.Id(1)));
    }

    [Fact]
    public void A_node_that_was_no_member_replaces_all_servers()
    {
        RestoredMembers restored = RestoredMembers.From([.. Record(2, NodeRole.Server)], TemporaryStore.Id(9));
        Assert.Equal(["node-2"], restored.RemovedServers);
        Assert.Null(restored.OwnName);
        Assert.Empty(restored.Entries);
    }

    private static StoreEntry[] Record(int number, NodeRole role)
    {
        NodeInfo node = TemporaryStore.Node(number);
        node.Role = role;
        return [Entry($"/members/{TemporaryStore.Id(number)}", new Member { Node = node }.ToByteArray()), Entry($"/names/{node.Name}", node.EndpointId.ToByteArray())];
    }

    private static StoreEntry Entry(string key, byte[] value) => new(key, value, 1, 1, 1);
}
