using Blixard.Cluster.Images;
using Blixard.Cluster.Store;
using Blixard.Cluster.Tests.Support;
using Blixard.V1;
using Google.Protobuf;

namespace Blixard.Cluster.Tests.Images;

public class ImageRecordsTests
{
    [Fact]
    public async Task An_image_is_found_by_name_with_the_nodes_that_hold_it()
    {
        await using var temporary = new TemporaryStore();
        var images = new ImageRecords(temporary.Store);
        await images.AddAsync(Image("os/debian", "latest", 1), "node-1");
        await images.AddAsync(Image("os/debian", "latest2", 2), "node-2");
        await images.AddHolderAsync("os/debian", Hash(1).Memory, "node-3");
        ImageRecord image = await images.GetAsync("os/debian");
        Assert.Equal(["node-1", "node-3"], image.Nodes);
        Assert.Equal(Hash(1), image.Hash);
        Assert.Equal(["latest", "latest2"], (await images.ListAsync()).Select(listed => listed.Tag));
        await images.RemoveHolderAsync("os/debian:latest", "node-1");
        Assert.Equal(["node-3"], (await images.GetAsync("os/debian")).Nodes);
        await images.RemoveHolderEverywhereAsync("node-3");
        Assert.Empty((await images.GetAsync("os/debian")).Nodes);
    }

    [Fact]
    public async Task The_same_content_may_be_added_again_and_other_content_not()
    {
        await using var temporary = new TemporaryStore();
        var images = new ImageRecords(temporary.Store);
        await images.AddAsync(Image("debian", "12", 1), "node-1");
        Assert.Equal(["node-1", "node-2"], (await images.AddAsync(Image("debian", "12", 1), "node-2")).Nodes);
        await RefusedAsync(RecordFailure.AlreadyExists, images.AddAsync(Image("debian", "12", 2), "node-2"));
        await RefusedAsync(RecordFailure.Conflict, images.AddHolderAsync("debian:12", Hash(2).Memory, "node-3"));
    }

    [Fact]
    public async Task A_removed_image_is_gone_with_its_holders()
    {
        await using var temporary = new TemporaryStore();
        var images = new ImageRecords(temporary.Store);
        await images.AddAsync(Image("debian", "12", 1), "node-1");
        await images.RemoveAsync("debian:12");
        Assert.Empty((await temporary.Store.RangeAsync("/images/")).Entries);
        await RefusedAsync(RecordFailure.NotFound, images.GetAsync("debian:12"));
        await RefusedAsync(RecordFailure.NotFound, images.RemoveAsync("debian:12"));
        await RefusedAsync(RecordFailure.NotFound, images.AddHolderAsync("debian:12", Hash(1).Memory, "node-1"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("Debian")]
    [InlineData("debian:")]
    [InlineData(":12")]
    [InlineData("debian:1/2")]
    [InlineData("a:b:c")]
    [InlineData("a b")]
    public void What_is_no_reference_is_refused(string reference) =>
        Assert.Equal(RecordFailure.Invalid, Assert.Throws<RecordException>(() => ImageRecords.Normalize(reference)).Failure);

    private static ByteString Hash(byte number) => ByteString.CopyFrom([.. Enumerable.Repeat(number, 32)]);

    private static ImageRecord Image(string name, string tag, byte hash) =>
        new() { Name = name, Tag = tag, Hash = Hash(hash), SizeBytes = 1, Architecture = "x86_64" };

    private static async Task RefusedAsync(RecordFailure failure, Task change) =>
        Assert.Equal(failure, (await Assert.ThrowsAsync<RecordException>(() => change)).Failure);
}
