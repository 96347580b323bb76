using System.Security.Cryptography;
using Blixard.Node.Tests.Support;
using Blixard.Rpc.Calls;
using Blixard.V1;
using static Blixard.Node.Tests.Images.CatalogueCalls;

namespace Blixard.Node.Tests.Images;

/// <summary>The catalogue for others: two clusters that know nothing of each other but a ticket.</summary>
public sealed class NodeCatalogueTests
{
    [Fact]
    public async Task Another_cluster_reads_the_catalogue_from_a_ticket_and_fetches_its_images()
    {
        await using TestCluster ours = new(), theirs = new();
        TestNode a = await ours.UpAsync("a"), b = await theirs.UpAsync("b");
        ImageRecord first = await AddAsync(a, ours.DirectoryOf("a"), "first", 3_000_000);
        Assert.Equal("closed", (await a.StatusAsync()).Catalogue);

        ShareCatalogueResponse shared = await ShareAsync(a);
        Assert.Equal("open", (await a.StatusAsync()).Catalogue);
        await FollowAsync(b, shared.Ticket);

        ForeignImage seen = Assert.Single(await UntilListedAsync(b, list => list.Any(image => image.Image.Nodes.Count == 1)));
        Assert.Equal(("west", "first", "latest", first.Hash), (seen.Catalogue, seen.Image.Name, seen.Image.Tag, seen.Image.Hash));
        Assert.Equal(["a"], seen.Image.Nodes);
        Assert.Empty((await b.CallAsync(ImageMethods.List, new ListImagesRequest())).Images);
        ImageRecord pulled = await PullAsync(b, "west//first");
        Assert.Equal((first.Hash, "b"), (pulled.Hash, Assert.Single(pulled.Nodes)));
        Assert.Empty((await b.CallAsync(ImageMethods.Verify, new VerifyImageRequest { Reference = "first" })).Damaged);

        // What comes and goes there does so here, without another command.
        await AddAsync(a, ours.DirectoryOf("a"), "second", 100_000);
        await UntilListedAsync(b, list => list.Any(image => image.Image.Name == "second"));
        await a.CallAsync(ImageMethods.Remove, new RemoveImageRequest { Reference = "first" });
        await UntilListedAsync(b, list => list.All(image => image.Image.Name == "second"));
        Assert.Equal(1u, Assert.Single((await b.CallAsync(ImageMethods.ListCatalogues, new ListCataloguesRequest())).Catalogues).Images);

        await b.CallAsync(ImageMethods.RemoveCatalogue, new RemoveCatalogueRequest { Name = "west" });
        await UntilListedAsync(b, list => list.Count == 0);
        Assert.Equal("first", Assert.Single((await b.CallAsync(ImageMethods.List, new ListImagesRequest())).Images).Name);
    }

    [Fact]
    public async Task Nothing_is_given_to_others_any_more_after_sharing_was_revoked()
    {
        await using TestCluster ours = new(), theirs = new();
        TestNode a = await ours.UpAsync("a"), b = await theirs.UpAsync("b");
        await AddAsync(a, ours.DirectoryOf("a"), "first", 100_000);
        ShareCatalogueResponse shared = await ShareAsync(a);
        await FollowAsync(b, shared.Ticket);
        await UntilListedAsync(b, list => list.Any(image => image.Image.Nodes.Count == 1));

        await a.CallAsync(ImageMethods.RevokeCatalogue, new RevokeCatalogueRequest());
        Assert.Equal("closed", (await a.StatusAsync()).Catalogue);
        await AddAsync(a, ours.DirectoryOf("a"), "second", 100_001);

        // The name was read before; its content is refused.
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => PullAsync(b, "west//first"));
        Assert.Contains("west/a", refused.Message);
        await UntilAsync(
            async () => (await b.CallAsync(ImageMethods.ListCatalogues, new ListCataloguesRequest())).Catalogues, list => list.Single().Reason.Length > 0);
        Assert.Equal("first", Assert.Single((await b.CallAsync(ImageMethods.List, new ListImagesRequest())).Foreign).Image.Name);

        // Shared again, it is another document: the old ticket stays as it is.
        ShareCatalogueResponse again = await ShareAsync(a);
        Assert.NotEqual(shared.Ticket, again.Ticket);
        await FollowAsync(b, again.Ticket);
        await UntilListedAsync(b, list => list.Count == 2 && list.All(image => image.Image.Nodes.Count == 1));
        await PullAsync(b, "west//second:latest");
    }

    [Fact]
    public async Task A_ticket_whose_time_is_over_gives_nothing()
    {
        await using TestCluster ours = new(), theirs = new();
        TestNode a = await ours.UpAsync("a"), b = await theirs.UpAsync("b");
        await AddAsync(a, ours.DirectoryOf("a"), "first", 100_000);
        ShareCatalogueResponse shared = await ShareAsync(a, TimeSpan.FromSeconds(1));
        await a.UntilAsync(status => status.Catalogue == "closed", "the end of sharing");

        await FollowAsync(b, shared.Ticket);

        IReadOnlyList<ForeignCatalogue> list = await UntilAsync<IReadOnlyList<ForeignCatalogue>>(
            async () => (await b.CallAsync(ImageMethods.ListCatalogues, new ListCataloguesRequest())).Catalogues, seen => seen.Single().Reason.Length > 0);
        Assert.Equal(0u, list.Single().Images);
        // Sharing anew does not make it good again.
        Assert.NotEqual(DocumentOf(shared), DocumentOf(await ShareAsync(a)));
    }

    [Fact]
    public async Task Every_member_follows_and_gives_and_each_says_what_it_holds()
    {
        await using TestCluster ours = new(), theirs = new();
        TestNode one = await ours.UpAsync("one"), two = await ours.JoinAsync("two", one), b = await theirs.UpAsync("b");
        await two.UntilLinkedAsync("one");
        await AddAsync(one, ours.DirectoryOf("one"), "first", 100_000);
        await PullAsync(two, "first");

        await FollowAsync(b, (await ShareAsync(two)).Ticket);

        await UntilListedAsync(b, list => list.SingleOrDefault() is { } image && image.Image.Nodes.Order().SequenceEqual(["one", "two"]));
        await two.UntilAsync(status => status.Catalogue == "open", "the catalogue at two");
        await one.UntilAsync(status => status.Catalogue == "open", "the catalogue at one");
        // It goes on knowing the secret.
        Assert.True((await two.CallAsync(ClusterMethods.Leave, new LeaveRequest())).CatalogueShared);
    }

    [Fact]
    public async Task Without_P2P_sharing_is_refused_and_the_node_says_why()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one", options => options with { P2p = false });

        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => ShareAsync(one));

        Assert.Equal((RpcStatusCode.FailedPrecondition, true), (refused.StatusCode, refused.Message.Contains("switched off", StringComparison.Ordinal)));
        Assert.Equal("without: no P2P (switched off)", (await one.StatusAsync()).Catalogue);
    }

    [Fact]
    public async Task Damaged_documents_are_put_aside_and_made_anew()
    {
        await using var cluster = new TestCluster();
        string documents = Directory.CreateDirectory(Path.Combine(cluster.DirectoryOf("one"), "documents")).FullName;
        await File.WriteAllBytesAsync(Path.Combine(documents, "docs.db"), RandomNumberGenerator.GetBytes(8192));

        TestNode one = await cluster.UpAsync("one");

        Assert.True(File.Exists(Path.Combine(documents + ".damaged", "docs.db")));
        Assert.NotEmpty((await ShareAsync(one)).Ticket);
    }

    [Fact]
    public async Task What_is_no_ticket_or_the_own_one_is_refused_by_name()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        ShareCatalogueResponse own = await ShareAsync(one);

        foreach ((string name, string ticket, string why) in ((string, string, string)[])
            [("west", "docxyz", "damaged"), ("west", own.Ticket, "own catalogue"), ("West!", own.Ticket[..^4], "ticket")])
        {
            RpcException refused = await Assert.ThrowsAsync<RpcException>(
                () => one.CallAsync(ImageMethods.AddCatalogue, new AddCatalogueRequest { Name = name, Ticket = ticket }));
            Assert.Equal((RpcStatusCode.InvalidArgument, true), (refused.StatusCode, refused.Message.Contains(why, StringComparison.Ordinal)));
        }
    }
}
