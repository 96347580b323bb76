using Blixard.Images.Catalogue;
using Blixard.Images.Manifests;
using Blixard.Node.Images;
using Blixard.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Iroh.Base;
using Iroh.Blobs;
using Iroh.Blobs.Provider;

namespace Blixard.Node.Tests.Images;

/// <summary>What outsiders may have while the catalogue is shared.</summary>
public sealed class SharedContentTests
{
    private static readonly BlobHash s_manifest = BlobHash.Of("manifest"u8), s_part = BlobHash.Of("part"u8), s_secret = BlobHash.Of("secret"u8);

    [Fact]
    public void An_image_is_its_collection_manifest_and_parts()
    {
        SharedContent content = SharedContent.Of([Image("web")]);
        BlobHash collection = content.Images.Single().Collection;

        Assert.True(Allows(content, isSequence: true, collection));
        Assert.True(Allows(content, isSequence: false, collection, s_manifest, s_part));
        Assert.False(Allows(content, isSequence: false, s_part, s_secret));
        Assert.False(Allows(SharedContent.Empty, isSequence: false, s_part));
    }

    [Fact]
    public void A_part_is_not_read_as_a_sequence_of_hashes() =>
        Assert.False(Allows(SharedContent.Of([Image("web")]), isSequence: true, s_part));

    [Fact]
    public void Nothing_may_be_brought() => Assert.False(SharedContent.Of([Image("web")]).Allows(
        new BlobRequestInfo(1, default, BlobRequestKind.Push, [s_part], IsHashSequence: false), _ => true));

    [Fact]
    public void Entries_of_the_document_may_be_had_but_not_as_sequences()
    {
        Assert.True(SharedContent.Empty.Allows(new BlobRequestInfo(1, default, BlobRequestKind.Get, [s_secret], IsHashSequence: false), hash => hash == s_secret));
        Assert.False(SharedContent.Empty.Allows(new BlobRequestInfo(1, default, BlobRequestKind.Get, [s_secret], IsHashSequence: true), hash => hash == s_secret));
    }

    [Fact]
    public void An_entry_says_of_what_kind_an_image_is_and_its_labels()
    {
        ImageRecord record = Image("web");
        Assert.Equal(ManifestKind.Machine, SharedContent.Of([record]).Images.Single().Kind);
        record.Kind = ImageKind.Container;
        record.Labels.Add("os", "linux");

        CatalogueImage image = SharedContent.Of([record]).Images.Single();

        Assert.Equal((ManifestKind.Container, "linux"), (image.Kind, Assert.Single(image.Labels).Value));
    }

    [Fact]
    public void As_many_images_of_others_are_listed_as_an_answer_has_room_for()
    {
        ForeignImage[] images = [.. Enumerable.Range(0, 100).Select(number => new ForeignImage { Catalogue = "west", Image = Image($"web-{number:00}") })];
        int each = images[0].CalculateSize();

        (IReadOnlyList<ForeignImage> fitting, int leftOut) = ForeignCatalogues.Fit(images, 50 * each);

        Assert.Equal(images[..fitting.Count], fitting);
        Assert.Equal(100, fitting.Count + leftOut);
        Assert.InRange(fitting.Count, 30, 49);
        var answer = new ListImagesResponse { Foreign = { fitting }, ForeignLeftOut = (uint)leftOut };
        Assert.InRange(answer.CalculateSize(), 1, 50 * each);
        Assert.Equal((0, 100), (ForeignCatalogues.Fit(images, -1).Fitting.Count, ForeignCatalogues.Fit(images, -1).LeftOut));
        Assert.Equal(0, ForeignCatalogues.Fit(images, 1 << 20).LeftOut);
    }

    [Fact]
    public void A_record_that_no_entry_can_say_is_left_out() =>
        Assert.Equal("web", SharedContent.Of([Image("web"), Image("other", architecture: "riscv")]).Images.Single().Name);

    private static bool Allows(SharedContent content, bool isSequence, params BlobHash[] hashes) =>
        content.Allows(new BlobRequestInfo(1, default(EndpointId), BlobRequestKind.Get, hashes, isSequence), _ => false);

    private static ImageRecord Image(string name, string architecture = "x86_64") => new()
    {
        Name = name,
        Tag = "1",
        Hash = ByteString.CopyFrom(s_manifest.ToArray()),
        SizeBytes = 4,
        Architecture = architecture,
        AddedBy = "one",
        CreatedAt = Timestamp.FromDateTimeOffset(DateTimeOffset.UnixEpoch),
        Parts = { new ImagePart { Kind = ImagePartKind.Kernel, Name = "kernel", Hash = ByteString.CopyFrom(s_part.ToArray()), SizeBytes = 4 } },
    };
}
