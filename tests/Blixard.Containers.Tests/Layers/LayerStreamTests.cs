using Blixard.Containers.Archives;
using Blixard.Containers.Images;
using Blixard.Containers.Layers;

namespace Blixard.Containers.Tests.Layers;

public sealed class LayerStreamTests
{
    [Fact]
    public void Content_is_given_out_as_far_as_the_limit_and_no_further()
    {
        byte[] content = new byte[10 << 20];
        byte[] packed = TestImage.Gzip(content);
        Assert.Equal(content.Length, Read(packed, content, content.Length));
        ContainerImageException e = Assert.Throws<ContainerImageException>(() => Read(packed, content, content.Length - 1));
        Assert.Equal(ContainerImageFailure.TooLarge, e.Failure);
        Assert.Contains("bytes uncompressed", e.Message);
    }

    [Fact]
    public void A_layer_that_is_cut_off_or_longer_than_stated_is_found_out()
    {
        byte[] content = [.. Enumerable.Range(0, 100_000).Select(static i => (byte)(i * i))];
        byte[] packed = TestImage.Gzip(content);
        Assert.Contains("bytes and should have", Assert.Throws<ContainerImageException>(() => Read(packed, content, long.MaxValue, packed.Length + 1)).Message);
        // Without a stated size the digest tells.
        Assert.Throws<ContainerImageException>(() => Read(packed[..(packed.Length / 2)], content, long.MaxValue));
        Assert.Contains("another digest", Assert.Throws<ContainerImageException>(() => Read([.. packed, .. packed], content, long.MaxValue)).Message);
    }

    [Fact]
    public void Reading_ends_when_it_is_cancelled()
    {
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => Read(TestImage.Gzip([1, 2, 3]), [1, 2, 3], long.MaxValue, null, cancelled.Token));
    }

    private static long Read(byte[] file, byte[] content, long bytesMax, long? statedSize = null, CancellationToken cancellationToken = default)
    {
        var archive = new OneFile(file) { Description = "archive" };
        var layer = new ImageLayer(
            "layer", Digest.Of(content), null, statedSize is { } size ? (Digest.Of(file), size) : null);
        using LayerStream stream = LayerStream.Open(archive, layer, bytesMax, cancellationToken);
        return stream.Finish();
    }

    private sealed class OneFile(byte[] content) : ImageArchive
    {
        public override bool TryOpen(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Stream? stream)
        {
            stream = new MemoryStream(content);
            return true;
        }

        public override void Dispose()
        {
        }
    }
}
