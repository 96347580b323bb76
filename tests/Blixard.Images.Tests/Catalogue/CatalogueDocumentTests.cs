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
    public async Task Names_are_said_on_one_node_and_taken_back_on_another()
    {
        await using CataloguePeer one = await CataloguePeer.StartAsync("one", s_secret), two = await CataloguePeer.StartAsync("two", s_secret);
        await one.Catalogue.MirrorAsync(one.Names, [Image("web", "1", 1)]);
        one.Sync();
        two.Sync(one);
        await two.UntilAsync(seen => seen.Images.Count == 1, "what was there before");

        await one.Catalogue.MirrorAsync(one.Names, [Image("web", "1", 1), Image("web", "12", 2)]);
        await two.UntilAsync(seen => seen.Images.Count == 2, "what came while both synced");
        await two.Catalogue.MirrorAsync(two.Names, [Image("web", "12", 2)]);
        await one.UntilAsync(seen => seen.Images.Count == 1, "one name less");

        Assert.Equal("web:12", Assert.Single(one.Catalogue.Current.Images).Reference);
        await one.Catalogue.MirrorAsync(one.Names, [Image("web", "12", 3) with { Copies = 3 }]);
        await two.UntilAsync(seen => seen.Images.Single() is { Copies: 3 } image && image.Hash == BlobHash.Of([3]), "other content under the same name");
    }

    [Fact]
    public async Task What_is_said_already_is_not_said_again()
    {
        await using CataloguePeer one = await CataloguePeer.StartAsync("one", s_secret);
        CatalogueImage[] images = [Image("web", "1", 1), Image("db", "1", 2)];
        await one.Catalogue.MirrorAsync(one.Names, images);
        await one.Catalogue.MirrorAsync(one.Names, images[..1]);
        EntryTimestamp[] before = Timestamps(one);

        await one.Catalogue.MirrorAsync(one.Names, images[..1]);

        Assert.Equal(2, before.Length);
        Assert.Equal(before, Timestamps(one));
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
    public async Task What_a_node_that_is_gone_said_it_holds_is_taken_back_until_it_says_it_anew()
    {
        BlobHash first = BlobHash.Of([1]), second = BlobHash.Of([2]);
        await using CataloguePeer one = await CataloguePeer.StartAsync("one", s_secret);
        await one.Catalogue.HoldAsync(one.Holder, new HashSet<BlobHash> { first, second });
        Assert.Equal(["one"], one.Catalogue.Current.HolderNodes);

        await one.Catalogue.ForgetHoldersAsync([one.Own]);
        Assert.Empty(one.Catalogue.Current.HolderNodes);
        EntryTimestamp[] said = Timestamps(one);
        await one.Catalogue.ForgetHoldersAsync([one.Own, one.Names]);
        Assert.Equal(said, Timestamps(one));

        await one.Catalogue.HoldAsync(one.Holder, new HashSet<BlobHash> { second });
        Assert.Equal((0, 1), (one.Catalogue.Current.HoldersOf(first).Count, one.Catalogue.Current.HoldersOf(second).Count));
    }

    [Fact]
    public async Task A_node_whose_clock_is_behind_takes_back_and_changes_what_another_said()
    {
        // Five minutes: peers take entries from at most ten minutes ahead.
        SetClock behind = new(), ahead = new() { AfterNoon = TimeSpan.FromMinutes(5) };
        await using CataloguePeer fast = await CataloguePeer.StartAsync("fast", s_secret, ahead), slow = await CataloguePeer.StartAsync("slow", s_secret, behind);
        fast.Sync();
        slow.Sync(fast);
        await fast.Catalogue.MirrorAsync(fast.Names, [Image("gone", "1", 1), Image("other", "1", 2)]);
        await fast.SayAsync(Image("stray", "1", 3));
        await fast.SayAsync(Image("web", "1", 4));
        await slow.UntilAsync(seen => seen.Images.Count == 4, "what the fast one said");

        await slow.Catalogue.MirrorAsync(slow.Names, [Image("other", "1", 5), Image("web", "1", 6)]);

        Assert.Equal(
            [("other:1", BlobHash.Of([5])), ("web:1", BlobHash.Of([6]))], slow.Catalogue.Current.Images.Select(image => (image.Reference, image.Hash)));
        await fast.UntilAsync(seen => seen.Images.Select(image => image.Hash).SequenceEqual([BlobHash.Of([5]), BlobHash.Of([6])]), "the slow one's truth");
        EntryTimestamp now = EntryTimestamp.From(ahead.GetUtcNow());
        Assert.All(Timestamps(slow), timestamp => Assert.InRange(timestamp.Microseconds, now.Microseconds, now.Microseconds + 1000));
    }

    [Fact]
    public async Task Of_an_entry_too_far_in_the_future_the_speaker_hears_and_says_all_else()
    {
        var time = new SetClock { AfterNoon = TimeSpan.FromMinutes(11) };
        await using CataloguePeer one = await CataloguePeer.StartAsync("one", s_secret, time);
        await one.Catalogue.MirrorAsync(one.Names, [Image("a", "1", 1)]);
        time.AfterNoon = TimeSpan.Zero;

        await Assert.ThrowsAsync<NewerEntryException>(() => one.Catalogue.MirrorAsync(one.Names, [Image("b", "1", 2)]));

        Assert.Equal(["a:1", "b:1"], one.Catalogue.Current.Images.Select(image => image.Reference));
        time.AfterNoon = TimeSpan.FromMinutes(2);
        await one.Catalogue.MirrorAsync(one.Names, [Image("b", "1", 2)]);
        Assert.Equal("b:1", Assert.Single(one.Catalogue.Current.Images).Reference);
    }

    private static EntryTimestamp[] Timestamps(CataloguePeer peer) =>
        [.. peer.Document.Query(new DocumentQuery { IncludeEmpty = true }).Select(entry => entry.Record.Timestamp)];

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
}
