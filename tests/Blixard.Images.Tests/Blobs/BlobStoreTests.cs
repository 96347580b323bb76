using Blixard.Images.Blobs;
using Blixard.Images.Tests.Support;
using Iroh.Blobs;

namespace Blixard.Images.Tests.Blobs;

public sealed class BlobStoreTests : IDisposable
{
    private readonly TestDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(ChunkGroups.GroupLength)]
    [InlineData((2 * ChunkGroups.GroupLength) + 5)]
    public async Task A_file_is_stored_under_its_hash_and_is_there_after_opening_again(int length)
    {
        byte[] content = TestDirectory.Content(1, length);
        var told = new List<long>();

        AddedBlob added = await BlobStore.Open(_directory.Store())
            .AddFileAsync(_directory.Write("file", content), told.Add, CancellationToken.None);
        BlobStore store = BlobStore.Open(_directory.Store());

        Assert.Equal(BlobHash.Of(content), added.Hash);
        Assert.Equal(length, told[^1]);
        Assert.True(store.TryGetPath(added.Hash, out string path));
        Assert.Equal(content, File.ReadAllBytes(path));
        Assert.Equal(FakePeer.GroupListOf(content), await store.GetGroupListAsync(added.Hash, CancellationToken.None));
        Assert.True(await store.VerifyAsync(added.Hash, CancellationToken.None));
        Assert.Empty(Directory.GetFiles(Path.Combine(store.Root, "temp")));
        Assert.Equal(0, (int)(File.GetUnixFileMode(path) & (UnixFileMode.UserWrite | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)));
    }

    [Fact]
    public async Task A_group_list_that_is_lost_or_wrong_is_made_again()
    {
        byte[] content = TestDirectory.Content(2, 3 * ChunkGroups.GroupLength);
        BlobStore store = BlobStore.Open(_directory.Store());
        AddedBlob added = await store.AddFileAsync(_directory.Write("file", content), null, CancellationToken.None);
        string list = Path.Combine(store.Root, "groups", added.Hash.ToString());
        Assert.True(File.Exists(list));

        File.WriteAllBytes(list, new byte[3 * 32]);
        Assert.Equal(FakePeer.GroupListOf(content), await store.GetGroupListAsync(added.Hash, CancellationToken.None));
        Assert.Equal(FakePeer.GroupListOf(content), File.ReadAllBytes(list));
        File.Delete(list);
        Assert.Equal(FakePeer.GroupListOf(content), await store.GetGroupListAsync(added.Hash, CancellationToken.None));
    }

    [Fact]
    public async Task A_blob_that_was_changed_on_the_disk_is_found_out()
    {
        BlobStore store = BlobStore.Open(_directory.Store());
        byte[] content = TestDirectory.Content(3, (2 * ChunkGroups.GroupLength) + 9);
        AddedBlob added = await store.AddFileAsync(_directory.Write("file", content), null, CancellationToken.None);
        Assert.True(store.TryGetPath(added.Hash, out string path));
        content[ChunkGroups.GroupLength] ^= 1;
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllBytes(path, content);
        File.Delete(Path.Combine(store.Root, "groups", added.Hash.ToString()));

        Assert.False(await store.VerifyAsync(added.Hash, CancellationToken.None));
        DamagedBlobException e = await Assert.ThrowsAsync<DamagedBlobException>(
            () => store.GetGroupListAsync(added.Hash, CancellationToken.None));
        Assert.Equal(added.Hash, e.Hash);

        File.WriteAllBytes(path, content[..10]);
        Assert.Throws<DamagedBlobException>(() => store.TryOpen(added.Hash, out _));
        Assert.False(store.TryGetPath(added.Hash, out _));
        Assert.Null(await store.VerifyAsync(added.Hash, CancellationToken.None));
    }

    [Fact]
    public void What_a_killed_process_left_half_done_is_removed_but_unfinished_fetches_stay()
    {
        BlobStore store = BlobStore.Open(_directory.Store());
        using IDisposable pin = store.Add("whole"u8).Pin;
        BlobHash whole = BlobHash.Of("whole"u8), other = BlobHash.Of("other"u8);
        string temp = Path.Combine(store.Root, "temp", "1-1");
        string tidied = Path.Combine(store.Root, "partial", $"{whole}.groups");
        string kept = Path.Combine(store.Root, "partial", other.ToString());
        string orphan = Path.Combine(store.Root, "groups", other.ToString());
        foreach (string file in (string[])[temp, tidied, kept, orphan])
            File.WriteAllText(file, "x");

        store = BlobStore.Open(_directory.Store());

        Assert.False(File.Exists(temp));
        Assert.False(File.Exists(tidied));
        Assert.False(File.Exists(orphan));
        Assert.True(File.Exists(kept));
        Assert.Equal([whole], store.Blobs);
    }

    [Fact]
    public void Only_what_nothing_pins_and_nothing_refers_to_is_collected()
    {
        BlobStore store = BlobStore.Open(_directory.Store());
        AddedBlob pinned = store.Add("pinned"u8), referenced = store.Add("referenced"u8), free = store.Add("free!"u8);
        referenced.Pin.Dispose();
        free.Pin.Dispose();
        IDisposable again = store.Pin(pinned.Hash);

        Assert.Equal(5, store.Collect(hash => hash == referenced.Hash, withUnfinished: true));
        pinned.Pin.Dispose();
        pinned.Pin.Dispose();
        Assert.Equal(0, store.Collect(hash => hash == referenced.Hash, withUnfinished: true));
        Assert.True(store.Contains(pinned.Hash));
        again.Dispose();
        Assert.Equal(6, store.Collect(hash => hash == referenced.Hash, withUnfinished: true));
        Assert.Equal([referenced.Hash], store.Blobs);
    }

    [Fact]
    public async Task More_than_the_quota_is_refused_in_words_and_leaves_nothing()
    {
        BlobStore store = BlobStore.Open(_directory.Store(), new BlobStoreOptions { QuotaBytes = 1000 });
        store.Add(new byte[600]).Pin.Dispose();

        StoreFullException e = await Assert.ThrowsAsync<StoreFullException>(
            () => store.AddFileAsync(_directory.Write("file", new byte[401]), null, CancellationToken.None));
        Assert.Contains("600 of the image store's 1000 bytes are taken", e.Message);
        Assert.Throws<StoreFullException>(() => store.Add(new byte[401]));
        Assert.Empty(Directory.GetFiles(Path.Combine(store.Root, "temp")));
        Assert.Equal(600, store.UsedBytes);
        store.Add(new byte[400]).Pin.Dispose();
        Assert.Throws<ArgumentException>(() => BlobStore.Open(_directory.Store("other"), new BlobStoreOptions { QuotaBytes = 0 }));
    }

    [Fact]
    public async Task An_empty_and_a_missing_file_are_refused()
    {
        BlobStore store = BlobStore.Open(_directory.Store());

        await Assert.ThrowsAsync<IOException>(() => store.AddFileAsync(_directory.Write("empty", []), null, CancellationToken.None));
        await Assert.ThrowsAsync<FileNotFoundException>(
            () => store.AddFileAsync(Path.Combine(_directory.Root, "missing"), null, CancellationToken.None));
    }
}
