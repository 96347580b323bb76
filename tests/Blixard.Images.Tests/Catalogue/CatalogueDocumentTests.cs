using Blixard.Images.Catalogue;
using Blixard.Images.Manifests;
using Blixard.Images.Tests.Support;
using Iroh.Blobs;
using Iroh.Cryptography;
using Iroh.Docs;

namespace Blixard.Images.Tests.Catalogue;

/// <summary>Catalogues of nodes on the loopback interface.</summary>
public sealed class CatalogueDocumentTests
{
    private static readonly NamespaceSecret s_secret = NamespaceSecret.Generate(new SeededRandomSource(1));

    [Fact]
    public async Task A_name_is_given_on_one_node_and_taken_away_on_another()
    {
        await using CataloguePeer one = await CataloguePeer.StartAsync("one", s_secret), two = await CataloguePeer.StartAsync("two", s_secret);
        await one.Catalogue.AddAsync(Image("web", "1", 1));
        one.Sync();
        two.Sync(one);
        await two.UntilAsync(seen => seen.Images.Count == 1, "what was there before");

        await one.Catalogue.AddAsync(Image("web", "12", 2));
        await two.UntilAsync(seen => seen.Images.Count == 2, "what came while both synced");
        Assert.True(await two.Catalogue.RemoveAsync("web", "1"));
        await one.UntilAsync(seen => seen.Images.Count == 1, "one name less");

        Assert.Equal("web:12", Assert.Single(one.Catalogue.Current.Images).Reference);
        Assert.False(await one.Catalogue.RemoveAsync("web", "1"));
        Assert.True(await one.Catalogue.RemoveAsync("web", "12"));
        await two.UntilAsync(seen => seen.Images.Count == 0, "no name");
    }

    [Fact]
    public async Task A_name_that_is_known_for_other_content_is_refused_until_it_is_taken_away()
    {
        await using CataloguePeer one = await CataloguePeer.StartAsync("one", s_secret);
        await one.Catalogue.AddAsync(Image("web", "1", 1));

        NameTakenException e = await Assert.ThrowsAsync<NameTakenException>(() => one.Catalogue.AddAsync(Image("web", "1", 2)));
        Assert.Contains("web:1 exists", e.Message);
        await one.Catalogue.AddAsync(Image("web", "1", 1) with { Copies = 3 });
        Assert.Equal(3, Assert.Single(one.Catalogue.Current.Images).Copies);
        await one.Catalogue.RemoveAsync("web", "1");
        await one.Catalogue.AddAsync(Image("web", "1", 2));
        Assert.Equal(BlobHash.Of([2]), Assert.Single(one.Catalogue.Current.Images).Hash);
    }

    [Fact]
    public async Task Each_node_says_what_it_holds_and_takes_it_back()
    {
        BlobHash first = BlobHash.Of([1]), second = BlobHash.Of([2]);
        await using CataloguePeer one = await CataloguePeer.StartAsync("one", s_secret), two = await CataloguePeer.StartAsync("two", s_secret);
        one.Sync();
        two.Sync(one);
        await one.Catalogue.HoldAsync(one.Holder, new HashSet<BlobHash> { first, second });
        await two.Catalogue.HoldAsync(two.Holder, new HashSet<BlobHash> { second });

        await one.UntilAsync(seen => seen.HoldersOf(second).Count == 2, "both hold the second");
        Assert.Equal([one.Holder, two.Holder], one.Catalogue.Current.HoldersOf(second));
        await one.Catalogue.HoldAsync(one.Holder, new HashSet<BlobHash> { first });
        await two.UntilAsync(seen => seen.HoldersOf(second).Count == 1 && seen.HoldersOf(first).Count == 1, "each holds one");
        Assert.Equal([one.Holder], two.Catalogue.Current.HoldersOf(first));
        Assert.Equal([two.Holder], two.Catalogue.Current.HoldersOf(second));
    }

    [Fact]
    public async Task A_node_whose_clock_is_behind_is_told_so()
    {
        await using CataloguePeer ahead = await CataloguePeer.StartAsync("ahead", s_secret, new AheadTimeProvider(TimeSpan.FromMinutes(5)));
        await using CataloguePeer behind = await CataloguePeer.StartAsync("behind", s_secret);
        ahead.Sync();
        behind.Sync(ahead);
        await ahead.Catalogue.AddAsync(Image("web", "1", 1));
        await behind.UntilAsync(seen => seen.Images.Count == 1, "the name");

        NewerNameException e = await Assert.ThrowsAsync<NewerNameException>(() => behind.Catalogue.RemoveAsync("web", "1"));

        Assert.Contains("web:1", e.Message);
        Assert.Single(behind.Catalogue.Current.Images);
        Assert.True(await ahead.Catalogue.RemoveAsync("web", "1"));
        await behind.UntilAsync(seen => seen.Images.Count == 0, "the name gone");
    }

    private static CatalogueImage Image(string name, string tag, byte content) => new()
    {
        Name = name,
        Tag = tag,
        Hash = BlobHash.Of([content]),
        Collection = BlobHash.Of([content, content]),
        SizeBytes = 5,
        Kind = ManifestKind.Machine,
        Architecture = "x86_64",
        AddedBy = "one",
        AddedAt = DateTimeOffset.UnixEpoch,
    };

    private sealed class AheadTimeProvider(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
    }
}
