using System.Text;
using Blixard.Images.Catalogue;
using Blixard.Images.Manifests;
using Iroh.Base;
using Iroh.Blobs;

namespace Blixard.Images.Tests.Catalogue;

public class CatalogueTests
{
    private static readonly DateTimeOffset s_noon = new(2026, 1, 31, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void No_key_is_the_beginning_of_another_one()
    {
        byte[][] keys =
        [
            CatalogueKey.OfImage("web", "1"), CatalogueKey.OfImage("web", "12"), CatalogueKey.OfImage("web", "1."), CatalogueKey.OfImage("web/a", "1"),
            CatalogueKey.OfHolder(BlobHash.Of("a"u8)), CatalogueKey.OfHolder(BlobHash.Of("b"u8)),
        ];

        Assert.All(keys, key => Assert.Single(keys, other => other.AsSpan().StartsWith(key)));
        Assert.True(CatalogueKey.TryReadImage(CatalogueKey.OfImage("os/web", "1.2"), out string? name, out string? tag));
        Assert.Equal(("os/web", "1.2"), (name, tag));
        Assert.False(CatalogueKey.TryReadImage("image/web:1"u8, out _, out _));
        Assert.False(CatalogueKey.TryReadImage("image/web:1//"u8, out _, out _));
    }

    [Fact]
    public void An_entry_is_read_as_it_was_written()
    {
        CatalogueImage image = Image("web", "v1") with
        {
            Kind = ManifestKind.Container, Copies = 3, Labels = new(StringComparer.Ordinal) { ["os"] = "linux", ["a"] = "" },
        };
        Assert.True(CatalogueImage.TryRead(image.ToBytes(), out CatalogueImage? read, out string? error), error);
        Assert.Equal(image.Labels, read.Labels);
        Assert.Equal(image with { Labels = read.Labels }, read);
        var holder = new CatalogueHolder("one", SecretKey.Generate().PublicKey);
        Assert.True(CatalogueHolder.TryRead(holder.ToBytes(), out CatalogueHolder? readHolder, out _));
        Assert.Equal(holder, readHolder);
    }

    [Fact]
    public void The_form_of_an_entry_stays_as_other_clusters_know_it()
    {
        string text = $$$"""
            {"schema":1,"name":"web","tag":"v1","hash":"{{{BlobHash.Of("image"u8)}}}","collection":"{{{BlobHash.Of("collection"u8)}}}","size":10,
            "kind":"container","architecture":"x86_64","labels":{"a":"b"},"addedBy":"one","addedAt":"2026-01-31T12:00:00Z","copies":2}
            """.ReplaceLineEndings("");
        CatalogueImage image = Image("web", "v1") with { Kind = ManifestKind.Container, Copies = 2, Labels = new(StringComparer.Ordinal) { ["a"] = "b" } };

        Assert.Equal(text, Encoding.UTF8.GetString(image.ToBytes()));
        Assert.True(CatalogueImage.TryRead(Encoding.UTF8.GetBytes(text), out CatalogueImage? read, out string? error), error);
        Assert.Equal((ManifestKind.Container, "b", "one"), (read.Kind, read.Labels["a"], read.AddedBy));
    }

    [Fact]
    public void Members_that_a_later_version_adds_are_passed_over()
    {
        string text = Encoding.UTF8.GetString(Image("web", "v1").ToBytes());
        Assert.True(CatalogueImage.TryRead(Encoding.UTF8.GetBytes(text[..^1] + ",\"signature\":\"x\"}"), out _, out string? error), error);
    }

    [Theory]
    [InlineData("\"schema\":1", "\"schema\":2", "schema")]
    [InlineData("\"web\"", "\"Web\"", "name")]
    [InlineData("\"size\":10", "\"size\":0", "bytes")]
    [InlineData("\"size\":10", "\"size\":-1", "bytes")]
    [InlineData("\"copies\":0", "\"copies\":1001", "copies")]
    [InlineData("\"kind\":\"machine\"", "\"kind\":\"firmware\"", "machine")]
    [InlineData("2026-01-31T12:00:00Z", "yesterday", "time")]
    [InlineData("x86_64", "mips", "architecture")]
    [InlineData("\"labels\":{}", "\"labels\":{\"a\":null}", "label")]
    [InlineData("\"addedBy\":\"one\"", "\"addedBy\":\"\"", "node")]
    public void A_wrong_entry_is_refused_with_the_reason(string what, string by, string reason)
    {
        string text = Encoding.UTF8.GetString(Image("web", "v1").ToBytes());
        Assert.Contains(what, text, StringComparison.Ordinal);
        Assert.False(CatalogueImage.TryRead(Encoding.UTF8.GetBytes(text.Replace(what, by, StringComparison.Ordinal)), out _, out string? error));
        Assert.Contains(reason, error, StringComparison.Ordinal);
    }

    [Fact]
    public void Readers_refuse_whatever_bytes_come_without_throwing()
    {
        byte[] image = Image("web", "v1").ToBytes(), holder = new CatalogueHolder("one", SecretKey.Generate().PublicKey).ToBytes();
        for (int seed = 0; seed < 3000; seed++)
        {
            var random = new Random(seed);
            byte[] bytes = [.. seed % 2 == 0 ? image : holder];
            for (int change = random.Next(1, 4); change > 0; change--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            bytes = bytes[..random.Next(bytes.Length + 1)];
            Exception? thrown = Record.Exception(() =>
            {
                CatalogueImage.TryRead(bytes, out _, out _);
                CatalogueHolder.TryRead(bytes, out _, out _);
                CatalogueKey.TryReadImage(bytes, out _, out _);
                CatalogueKey.TryReadHolder(bytes, out _);
            });
            Assert.True(thrown is null, $"seed {seed}: {thrown}");
        }
    }

    [Fact]
    public void The_newest_entry_of_any_author_says_what_a_name_stands_for()
    {
        CatalogueImage old = Image("web", "v1"), young = Image("web", "v1") with { Hash = BlobHash.Of("young"u8) };
        CatalogueSnapshot snapshot = CatalogueSnapshot.Read([Row(old, "a", 5), Row(young, "b", 7), Row(old, "c", 6)]);
        Assert.Equal(young.Hash, Assert.Single(snapshot.Images).Hash);
        Assert.Equal(0, snapshot.Unread);
    }

    [Fact]
    public void Authors_who_wrote_at_the_same_time_are_told_apart_alike_by_all()
    {
        CatalogueImage one = Image("web", "v1"), other = one with { Hash = BlobHash.Of("other"u8) };
        CatalogueRow[] rows = [Row(one, "a", 5), Row(other, "b", 5)];
        Assert.Equal(other.Hash, CatalogueSnapshot.Read(rows).Images[0].Hash);
        Assert.Equal(other.Hash, CatalogueSnapshot.Read(rows.Reverse()).Images[0].Hash);
    }

    [Fact]
    public void A_name_that_was_taken_back_by_another_author_is_gone_until_somebody_uses_it_again()
    {
        CatalogueImage image = Image("web", "v1");
        CatalogueRow gone = new(CatalogueKey.OfImage("web", "v1"), "b", 6, ReadOnlyMemory<byte>.Empty);
        Assert.Empty(CatalogueSnapshot.Read([Row(image, "a", 5), gone]).Images);
        Assert.Single(CatalogueSnapshot.Read([Row(image, "a", 5), gone, Row(image, "c", 7)]).Images);
    }

    [Fact]
    public void A_newest_entry_that_is_not_here_yet_hides_the_older_one_and_is_counted()
    {
        CatalogueRow coming = new(CatalogueKey.OfImage("web", "v1"), "b", 6, null);
        CatalogueSnapshot snapshot = CatalogueSnapshot.Read([Row(Image("web", "v1"), "a", 5), coming]);
        Assert.Empty(snapshot.Images);
        Assert.Equal(1, snapshot.Unread);
    }

    [Fact]
    public void An_entry_under_another_name_than_its_own_says_nothing()
    {
        CatalogueRow row = Row(Image("web", "v1"), "a", 5) with { Key = CatalogueKey.OfImage("db", "v1") };
        CatalogueSnapshot snapshot = CatalogueSnapshot.Read([row]);
        Assert.Empty(snapshot.Images);
        Assert.Equal(1, snapshot.Unread);
    }

    [Fact]
    public void Every_author_speaks_for_a_node_that_holds_an_image()
    {
        BlobHash hash = BlobHash.Of("image"u8);
        CatalogueSnapshot snapshot = CatalogueSnapshot.Read([Holder(hash, "two", 1), Holder(hash, "one", 2), Holder(BlobHash.Of("else"u8), "three", 3)]);
        Assert.Equal(["one", "two"], snapshot.HoldersOf(hash).Select(holder => holder.Node));
        CatalogueRow left = Holder(hash, "one", 3) with { Content = ReadOnlyMemory<byte>.Empty };
        Assert.Equal(["two"], CatalogueSnapshot.Read([Holder(hash, "two", 1), left]).HoldersOf(hash).Select(holder => holder.Node));
        Assert.Empty(snapshot.HoldersOf(BlobHash.Of("unknown"u8)));
    }

    [Fact]
    public void An_image_is_found_by_name_and_by_hash()
    {
        CatalogueImage image = Image("web", "latest");
        CatalogueSnapshot snapshot = CatalogueSnapshot.Read([Row(image, "a", 5)]);
        foreach (string text in new[] { "web", "web:latest", image.Hash.ToString() })
        {
            Assert.True(ImageReference.TryParse(text, out ImageReference? reference, out _));
            Assert.True(snapshot.TryFind(reference, out CatalogueImage? found), text);
            Assert.Equal(image.Hash, found.Hash);
        }

        Assert.True(ImageReference.TryParse("web:v2", out ImageReference? missing, out _));
        Assert.False(snapshot.TryFind(missing, out _));
    }

    [Theory]
    [InlineData("m", true)]
    [InlineData("m", true, "n", "z")]
    [InlineData("m", false, "a")]
    [InlineData("m", false, "z", "a", "n")]
    [InlineData("m", true, "a dead")]
    [InlineData("m", true, "a without")]
    [InlineData("m", true, "a dead", "b without", "n")]
    [InlineData("m", false, "a dead", "b", "c without")]
    // In the order of bytes, whatever the language of the machine.
    [InlineData("node-10", true, "node-9")]
    [InlineData("a", false, "B")]
    public void Of_the_members_that_live_and_have_P2P_the_first_by_name_says_the_names(string self, bool isSpeaker, params string[] others) =>
        Assert.Equal(isSpeaker, SpeakerPlan.IsSpeaker(self, others.Select(
            other => new SpeakerCandidate(other.Split(' ')[0], !other.EndsWith(" dead", StringComparison.Ordinal), !other.EndsWith(" without", StringComparison.Ordinal)))));

    [Fact]
    public void Exactly_one_of_those_that_agree_on_who_lives_is_the_speaker()
    {
        for (int seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            SpeakerCandidate[] members = [.. Enumerable.Range(0, random.Next(1, 8))
                .Select(number => new SpeakerCandidate($"node-{number}", random.Next(3) > 0, random.Next(3) > 0))];
            SpeakerCandidate[] able = [.. members.Where(member => member is { IsAlive: true, HasP2p: true })];

            int speakers = able.Count(self => SpeakerPlan.IsSpeaker(self.Node, members.Where(other => other != self)));

            Assert.True(speakers == Math.Min(1, able.Length), $"seed {seed}: {speakers}");
        }
    }

    [Fact]
    public void As_many_nodes_fetch_as_copies_are_missing_and_all_agree_which()
    {
        for (int seed = 0; seed < 500; seed++)
        {
            var random = new Random(seed);
            string[] alive = [.. Enumerable.Range(0, random.Next(1, 12)).Select(number => $"node-{number}")];
            string[] dead = ["dead-1", "dead-2"];
            HashSet<string> holders = [.. alive.Concat(dead).Where(_ => random.Next(3) == 0)];
            int copies = random.Next(0, 15);
            BlobHash image = BlobHash.Of(BitConverter.GetBytes(seed));
            string[] fetching = [.. alive.Where(node => ReplicationPlan.ShouldFetch(image, copies, [.. alive.Reverse()], holders, node))];
            Assert.DoesNotContain(fetching, holders.Contains);
            int missing = Math.Max(0, copies - alive.Count(holders.Contains));
            Assert.True(Math.Min(missing, alive.Length - alive.Count(holders.Contains)) == fetching.Length, $"seed {seed}");

            // One of them has it now: nobody else takes a turn that was not there before.
            if (fetching.Length == 0)
                continue;
            holders.Add(fetching[0]);
            Assert.Equal(fetching[1..], alive.Where(node => ReplicationPlan.ShouldFetch(image, copies, alive, holders, node)));
        }
    }

    private static CatalogueImage Image(string name, string tag) => new()
    {
        Name = name,
        Tag = tag,
        Hash = BlobHash.Of("image"u8),
        Collection = BlobHash.Of("collection"u8),
        SizeBytes = 10,
        Kind = ManifestKind.Machine,
        Architecture = "x86_64",
        AddedBy = "one",
        AddedAt = s_noon,
    };

    private static CatalogueRow Row(CatalogueImage image, string author, ulong at) =>
        new(CatalogueKey.OfImage(image.Name, image.Tag), author, at, image.ToBytes());

    private static CatalogueRow Holder(BlobHash image, string node, ulong at) =>
        new(CatalogueKey.OfHolder(image), node, at, new CatalogueHolder(node, SecretKey.Generate().PublicKey).ToBytes());
}
