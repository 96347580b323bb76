using Blixard.Images.Blobs;
using Blixard.Images.Fetching;
using Blixard.Images.Tests.Support;
using Blixard.Testing.Basics;
using Iroh.Blobs;

namespace Blixard.Images.Tests.Fetching;

public sealed class FullDiskTests
{
    private const int Group = ChunkGroups.GroupLength;

    [Fact]
    public async Task A_disk_that_fills_up_during_a_fetch_is_said_in_words_and_the_fetch_goes_on_when_there_is_room()
    {
        using SmallDisk? disk = SmallDisk.TryMount(8);
        Assert.SkipWhen(disk is null, "no small file system can be mounted here");
        byte[] content = TestDirectory.Content(1, 5 * Group);
        var peer = new FakePeer("node-a");
        BlobHash hash = peer.Give(content);
        BlobStore store = BlobStore.Open(Path.Combine(disk.Root, "store"));
        var fetcher = new BlobFetcher(store, TimeProvider.System);
        string filler = Path.Combine(disk.Root, "filler");
        long present = 0;

        // Somebody else writes meanwhile.
        void Fill(FetchProgress at)
        {
            present = at.PresentBytes;
            if (at.PresentBytes == 2 * Group)
                File.WriteAllBytes(filler, new byte[4 * Group]);
        }

        StoreFullException e = await Assert.ThrowsAsync<StoreFullException>(
            () => fetcher.FetchAsync(hash, content.Length, [peer.Source], Fill, default));
        Assert.Contains($"no room for blob {hash}", e.Message);
        Assert.Contains("is full", e.Message);
        Assert.False(store.Contains(hash));
        Assert.InRange(present, 2 * Group, 4 * Group);

        e = await Assert.ThrowsAsync<StoreFullException>(() => fetcher.FetchAsync(hash, content.Length, [peer.Source], null, default));
        Assert.Contains("bytes free", e.Message);

        File.Delete(filler);
        peer.Asked.Clear();
        await fetcher.FetchAsync(hash, content.Length, [peer.Source], null, default);
        Assert.Equal(present, Assert.Single(peer.Asked).Offset);
        Assert.True(store.TryGetPath(hash, out string path));
        Assert.Equal(content, File.ReadAllBytes(path));
    }

    [Fact]
    public async Task A_quota_refuses_a_fetch_before_it_begins_and_counts_what_unfinished_ones_hold()
    {
        using var directory = new TestDirectory();
        byte[] content = TestDirectory.Content(2, 3 * Group);
        var peer = new FakePeer("node-a");
        BlobHash hash = peer.Give(content);
        BlobStore store = BlobStore.Open(directory.Store(), new BlobStoreOptions { QuotaBytes = 4 * Group });
        var fetcher = new BlobFetcher(store, TimeProvider.System);
        using var cancel = new CancellationTokenSource();

        await Assert.ThrowsAsync<StoreFullException>(
            () => fetcher.FetchAsync(BlobHash.Of("x"u8), (4 * Group) + 1, [peer.Source], null, default));
        Assert.Equal(0, peer.RangeCalls);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => fetcher.FetchAsync(
            hash, content.Length, [peer.Source], at =>
            {
                if (at.PresentBytes == 2 * Group)
                    cancel.Cancel();
            },
            cancel.Token));
        await Assert.ThrowsAsync<StoreFullException>(
            () => fetcher.FetchAsync(BlobHash.Of("x"u8), (2 * Group) + 1, [peer.Source], null, default));
        await fetcher.FetchAsync(hash, content.Length, [peer.Source], null, default);
        Assert.True(store.Contains(hash));
    }

    [Fact]
    public async Task A_disk_that_is_full_while_an_image_is_packed_leaves_nothing()
    {
        using SmallDisk? disk = SmallDisk.TryMount(4);
        Assert.SkipWhen(disk is null, "no small file system can be mounted here");
        using var directory = new TestDirectory();
        string file = directory.Write("disk.raw", TestDirectory.Content(3, 3 * Group));
        BlobStore store = BlobStore.Open(Path.Combine(disk.Root, "store"));
        void Fill(long copied) => File.WriteAllBytes(Path.Combine(disk.Root, "filler"), new byte[Group + (Group / 2)]);

        StoreFullException e = await Assert.ThrowsAsync<StoreFullException>(async () =>
        {
            try
            {
                await store.AddFileAsync(file, Fill, default);
            }
            catch (IOException full) when (full.HResult == 28)
            {
                Assert.Fail("the error has no type");
            }
        });
        Assert.Contains("is full", e.Message);
        Assert.Empty(Directory.GetFiles(Path.Combine(store.Root, "temp")));
        Assert.Empty(store.Blobs);
    }
}
