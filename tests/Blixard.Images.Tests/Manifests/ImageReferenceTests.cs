using Blixard.Images.Manifests;
using Iroh.Blobs;

namespace Blixard.Images.Tests.Manifests;

public sealed class ImageReferenceTests
{
    [Theory]
    [InlineData("busybox", "busybox", "latest")]
    [InlineData("lab/busybox:v1.2", "lab/busybox", "v1.2")]
    [InlineData("a:B", "a", "B")]
    public void A_name_has_a_tag_or_means_the_latest(string text, string name, string tag)
    {
        Assert.True(ImageReference.TryParse(text, out ImageReference? reference, out _));
        Assert.Equal((name, tag), (reference.Name, reference.Tag));
        Assert.Null(reference.Hash);
        Assert.Equal($"{name}:{tag}", reference.ToString());
    }

    [Fact]
    public void Sixty_four_hexadecimal_digits_are_a_hash_and_never_a_name()
    {
        string text = BlobHash.Of("x"u8).ToString();

        Assert.True(ImageReference.TryParse(text, out ImageReference? reference, out _));
        Assert.Equal(BlobHash.Of("x"u8), reference.Hash);
        Assert.Equal(text, reference.ToString());
        Assert.NotNull(ImageName.Check(text));
        Assert.False(ImageReference.TryParse(text + ":tag", out _, out _));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(":tag")]
    [InlineData("name:")]
    [InlineData("name:a:b")]
    [InlineData("Name")]
    [InlineData("näme")]
    [InlineData("name\0")]
    [InlineData("name:tag\n")]
    public void Anything_else_is_refused_in_words(string? text)
    {
        Assert.False(ImageReference.TryParse(text, out _, out string? error));
        Assert.NotEmpty(error);
    }

    [Fact]
    public void Names_and_tags_have_at_most_128_characters()
    {
        string longest = new('a', 128);

        Assert.Null(ImageName.Check(longest));
        Assert.Null(ImageName.CheckTag(longest));
        Assert.NotNull(ImageName.Check(longest + "a"));
        Assert.NotNull(ImageName.CheckTag(longest + "a"));
    }
}
