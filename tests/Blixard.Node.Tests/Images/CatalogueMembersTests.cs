using System.Net;
using System.Net.Sockets;
using Blixard.Node.Tests.Support;
using Blixard.Rpc.Calls;
using Blixard.V1;
using static Blixard.Node.Tests.Images.CatalogueCalls;

namespace Blixard.Node.Tests.Images;

/// <summary>The catalogue for others while members go, come back and move.</summary>
[Trait("Suite", "Long")]
public sealed class CatalogueMembersTests
{
    [Fact]
    public async Task What_a_node_held_is_taken_back_when_it_leaves_or_is_removed()
    {
        await using TestCluster ours = new(), theirs = new();
        TestNode one = await ours.UpAsync("one"), b = await theirs.UpAsync("b");
        TestNode two = await ours.JoinAsync("two", one), three = await ours.JoinAsync("three", one);
        await two.UntilLinkedAsync("one", "three");
        await AddAsync(one, ours.DirectoryOf("one"), "first", 100_000);
        await PullAsync(two, "first");
        await PullAsync(three, "first");
        await FollowAsync(b, (await ShareAsync(one)).Ticket);
        await UntilHeldByAsync(b, "one", "three", "two");

        await two.CallAsync(ClusterMethods.Leave, new LeaveRequest());
        await UntilHeldByAsync(b, "one", "three");
        await three.DisposeAsync();
        await one.CallAsync(ClusterMethods.Leave, new LeaveRequest { Name = "three" });
        await UntilHeldByAsync(b, "one");

        Assert.Equal(["one"], Assert.Single((await one.CallAsync(ImageMethods.List, new ListImagesRequest())).Images).Nodes);
    }

    [Fact]
    public async Task Another_member_says_the_names_when_the_one_that_did_is_dead()
    {
        await using TestCluster ours = new(), theirs = new();
        TestNode server = await ours.UpAsync("server"), b = await theirs.UpAsync("b");
        // The first by name speaks.
        TestNode first = await ours.JoinAsync("a", server, options => options with { NodeTtl = TimeSpan.FromSeconds(2) });
        await first.UntilLinkedAsync("server");
        await AddAsync(server, ours.DirectoryOf("server"), "before", 100_000);
        await FollowAsync(b, (await ShareAsync(server)).Ticket);
        await UntilNamedAsync(b, "before");
        await AddAsync(server, ours.DirectoryOf("server"), "during", 100_001);
        await UntilNamedAsync(b, "before", "during");

        await first.DisposeAsync();
        await AddAsync(server, ours.DirectoryOf("server"), "since", 100_002);
        await server.CallAsync(ImageMethods.Remove, new RemoveImageRequest { Reference = "before" });

        await UntilNamedAsync(b, "during", "since");
    }

    [Fact]
    public async Task Nodes_that_are_started_again_go_on_sharing_and_following()
    {
        await using TestCluster ours = new(), theirs = new();
        TestNode one = await ours.UpAsync("one"), b = await theirs.UpAsync("b");
        await AddAsync(one, ours.DirectoryOf("one"), "first", 100_000);
        await FollowAsync(b, (await ShareAsync(one)).Ticket);
        await UntilNamedAsync(b, "first");

        await b.DisposeAsync();
        await AddAsync(one, ours.DirectoryOf("one"), "second", 100_001);
        b = await theirs.UpAsync("b");
        await UntilNamedAsync(b, "first", "second");

        await one.DisposeAsync();
        // What was read stays while nobody answers.
        await UntilNamedAsync(b, "first", "second");
        one = await ours.UpAsync("one");
        await one.UntilAsync(status => status.Catalogue == "open", "the catalogue open again");
        await AddAsync(one, ours.DirectoryOf("one"), "third", 100_002);
        await UntilNamedAsync(b, "first", "second", "third");
        Assert.Equal("second", (await PullAsync(b, "west//second")).Name);
    }

    [Fact]
    public async Task Nodes_whose_addresses_change_stay_in_sync()
    {
        await using TestCluster ours = new(), theirs = new();
        TestNode one = await ours.UpAsync("one"), two = await ours.JoinAsync("two", one), b = await theirs.UpAsync("b");
        await two.UntilLinkedAsync("one");
        await AddAsync(two, ours.DirectoryOf("two"), "first", 100_000);
        await FollowAsync(b, (await ShareAsync(one)).Ticket);
        await UntilNamedAsync(b, "first");

        one = await MoveAsync(ours, one);
        await two.UntilLinkedAsync("one");
        await AddAsync(one, ours.DirectoryOf("one"), "second", 100_001);
        await UntilNamedAsync(b, "first", "second");

        b = await MoveAsync(theirs, b);
        await AddAsync(one, ours.DirectoryOf("one"), "third", 100_002);
        await UntilNamedAsync(b, "first", "second", "third");
    }

    // Stops a node and starts it again where its port is another's.
    private static async Task<TestNode> MoveAsync(TestCluster cluster, TestNode node)
    {
        IPEndPoint before = await AddressOfAsync(node);
        await node.DisposeAsync();
        using var taker = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        taker.Bind(before);
        TestNode moved = await cluster.UpAsync(node.Node.Name);
        Assert.NotEqual(before, await AddressOfAsync(moved));
        return moved;
    }

    private static async Task<IPEndPoint> AddressOfAsync(TestNode node)
    {
        StatusResponse status = await node.UntilAsync(
            seen => seen.Nodes.Any(other => other.Member.Node.Name == node.Node.Name && other.P2P.State == P2pState.Ready), "its own P2P ready");
        return IPEndPoint.Parse(status.Nodes.Single(other => other.Member.Node.Name == node.Node.Name).P2P.Remote);
    }

    private static Task UntilNamedAsync(TestNode node, params string[] names) =>
        UntilListedAsync(node, list => list.Select(image => image.Image.Name).Order(StringComparer.Ordinal).SequenceEqual(names));

    private static Task UntilHeldByAsync(TestNode node, params string[] names) =>
        UntilListedAsync(node, list => list is [{ } image] && image.Image.Nodes.Order(StringComparer.Ordinal).SequenceEqual(names));
}
