using Blixard.Images.Blobs;
using Blixard.Images.Fetching;
using Blixard.Images.Manifests;
using Blixard.Images.Tests.Support;
using Iroh.Blobs;

namespace Blixard.Images.Tests;

public sealed class P2pImageStoreTests : IDisposable
{
    private readonly TestDirectory _directory = new();
    private readonly ImageStore _images;
    private readonly P2pImageStore _store;
    private readonly byte[] _kernel = TestDirectory.Content(1, 3000);
    private readonly byte[] _disk = TestDirectory.Content(2, (2 * ChunkGroups.GroupLength) + 50);
    private readonly FakePeer _peer = new("node-a");
    private readonly ImageManifest _image;

    public P2pImageStoreTests()
    {
        _images = ImageStore.Open(_directory.Store(), TimeProvider.System);
        _store = new P2pImageStore(_images, new BlobFetcher(_images.Blobs, TimeProvider.System), TimeProvider.System);
        _image = Manifest(_disk.Length);
        _peer.Give(_kernel);
        _peer.Give(_disk);
        _peer.Give(_image.ToBytes());
    }

    public void Dispose() => _directory.Dispose();

    private ImageManifest Manifest(long diskSize) => ImageManifest.Create(new ManifestContent
    {
        Name = "demo",
        Tag = "latest",
        Architecture = "x86_64",
        Created = DateTimeOffset.UnixEpoch,
        Parts =
        [
            new ManifestPart(ManifestPartKind.Kernel, "vmlinuz", _kernel.Length, BlobHash.Of(_kernel)),
            new ManifestPart(ManifestPartKind.Disk, "root.raw", diskSize, BlobHash.Of(_disk)),
        ],
    });

    [Fact]
    public async Task An_image_is_fetched_once_and_then_local()
    {
        var told = new List<ImageProgress>();

        LocalImage local = await _store.EnsureAsync(_image.Hash, [_peer.Source], new Listener(told.Add), default);

        Assert.Equal(_kernel, File.ReadAllBytes(local.KernelPath));
        Assert.Null(local.InitramfsPath);
        Assert.Equal(_disk, File.ReadAllBytes(Assert.Single(local.DiskPaths)));
        Assert.Equal(("manifest", 0L), (told[0].Part, told[0].TotalBytes));
        Assert.Equal(("root.raw", _image.TotalSize, _image.TotalSize, "node-a"), (told[^1].Part, told[^1].DoneBytes, told[^1].TotalBytes, told[^1].Source));
        Assert.Equal(told.Select(at => at.DoneBytes).Order(), told.Select(at => at.DoneBytes));
        int calls = _peer.RangeCalls;
        await _store.EnsureAsync(_image.Hash, [_peer.Source], null, default);
        Assert.Equal(calls, _peer.RangeCalls);
        Assert.True(ImageStore.Open(_directory.Store(), TimeProvider.System).TryGetLocal(_image.Hash, out _));
    }

    [Fact]
    public async Task Those_who_want_one_image_at_once_share_one_fetch()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _peer.BeforePiece = (_, _) => gate.Task;
        var told = new List<ImageProgress>();
        Task<LocalImage>[] waiting = [.. Enumerable.Range(0, 5).Select(_ => _store.EnsureAsync(_image.Hash, [_peer.Source], null, default))];
        Task<LocalImage> last = _store.EnsureAsync(_image.Hash, [], new Listener(told.Add), default);

        gate.SetResult();
        await Task.WhenAll(waiting);
        await last;

        Assert.Equal(3, _peer.RangeCalls);
        Assert.NotEmpty(told);
    }

    [Fact]
    public async Task One_who_gives_up_does_not_disturb_the_others_and_the_last_ends_the_fetch()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _peer.BeforePiece = async (_, token) =>
        {
            reached.TrySetResult();
            try
            {
                await gate.Task.WaitAsync(token);
            }
            catch (OperationCanceledException)
            {
                ended.TrySetResult();
                throw;
            }
        };
        using CancellationTokenSource one = new(), two = new();
        Task<LocalImage> first = _store.EnsureAsync(_image.Hash, [_peer.Source], null, one.Token);
        Task<LocalImage> second = _store.EnsureAsync(_image.Hash, [_peer.Source], null, two.Token);
        await reached.Task;

        await one.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        Assert.False(ended.Task.IsCompleted);
        await two.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        await ended.Task;

        gate.SetResult();
        Assert.NotNull(await _store.EnsureAsync(_image.Hash, [_peer.Source], null, default));
    }

    [Fact]
    public async Task An_image_that_nobody_has_is_not_found_and_says_who_was_asked()
    {
        BlobNotFoundException e = await Assert.ThrowsAsync<BlobNotFoundException>(
            () => _store.EnsureAsync(BlobHash.Of("no such image"u8), [_peer.Source, new FakePeer("node-b").Source], null, default));
        Assert.Contains("node-a does not have it; node-b does not have it", e.Message);
    }

    [Fact]
    public async Task Content_that_is_no_manifest_is_refused()
    {
        BlobHash hash = _peer.Give(_kernel[..100]);

        InvalidManifestException e = await Assert.ThrowsAsync<InvalidManifestException>(
            () => _store.EnsureAsync(hash, [_peer.Source], null, default));
        Assert.Contains($"{hash} is not an image", e.Message);
        Assert.Empty(_images.Blobs.Blobs);
    }

    [Fact]
    public async Task A_manifest_that_lies_about_a_size_never_makes_an_image()
    {
        ImageManifest liar = Manifest(_disk.Length + 1);
        _peer.Give(liar.ToBytes());

        await Assert.ThrowsAnyAsync<BlobFetchException>(() => _store.EnsureAsync(liar.Hash, [_peer.Source], null, default));
        await _store.EnsureAsync(_image.Hash, [_peer.Source], null, default);
        await Assert.ThrowsAsync<InvalidManifestException>(() => _store.EnsureAsync(liar.Hash, [_peer.Source], null, default));
        Assert.Equal([_image.Hash], _images.Images.Select(image => image.Hash));
    }

    [Fact]
    public async Task A_corrupt_part_fails_the_image_by_name_and_a_later_try_keeps_what_was_right()
    {
        _peer.Piece = (offset, piece) => offset > ChunkGroups.GroupLength ? new byte[piece.Length] : piece;

        CorruptChunkException e = await Assert.ThrowsAsync<CorruptChunkException>(
            () => _store.EnsureAsync(_image.Hash, [_peer.Source], null, default));
        Assert.Equal((BlobHash.Of(_disk), (long)ChunkGroups.GroupLength, "node-a"), (e.Hash, e.Offset, e.Peer));
        Assert.False(_images.TryGet(_image.Hash, out _));

        _peer.Piece = null;
        _peer.Asked.Clear();
        await _store.EnsureAsync(_image.Hash, [_peer.Source], null, default);
        Assert.Equal([(0, 0), (ChunkGroups.GroupLength, _disk.Length - ChunkGroups.GroupLength)], _peer.Asked);
    }

    [Fact]
    public async Task A_part_that_was_damaged_on_the_disk_is_fetched_again()
    {
        LocalImage local = await _store.EnsureAsync(_image.Hash, [_peer.Source], null, default);
        File.Delete(local.KernelPath);

        local = await _store.EnsureAsync(_image.Hash, [_peer.Source], null, default);

        Assert.Equal(_kernel, File.ReadAllBytes(local.KernelPath));
    }

    [Fact]
    public async Task What_nothing_holds_makes_room_when_the_quota_is_full()
    {
        ImageStore images = ImageStore.Open(
            _directory.Store("small"), TimeProvider.System, new BlobStoreOptions { QuotaBytes = _image.TotalSize + _image.Length + 100 });
        images.Blobs.Add(new byte[1000]).Pin.Dispose();
        var store = new P2pImageStore(images, new BlobFetcher(images.Blobs, TimeProvider.System), TimeProvider.System);

        Assert.NotNull(await store.EnsureAsync(_image.Hash, [_peer.Source], null, default));

        ImageManifest other = OtherImage();
        await Assert.ThrowsAsync<StoreFullException>(() => store.EnsureAsync(other.Hash, [_peer.Source], null, default));
        Assert.False(images.TryGet(other.Hash, out _));
        Assert.True(images.TryGetLocal(_image.Hash, out _));
    }

    [Fact]
    public async Task A_full_quota_never_costs_what_is_here_of_the_image_itself()
    {
        ImageStore images = ImageStore.Open(
            _directory.Store("small"), TimeProvider.System, new BlobStoreOptions { QuotaBytes = _kernel.Length + 10 });
        var store = new P2pImageStore(images, new BlobFetcher(images.Blobs, TimeProvider.System), TimeProvider.System);

        await Assert.ThrowsAsync<StoreFullException>(() => store.EnsureAsync(_image.Hash, [_peer.Source], null, default));

        Assert.True(images.Blobs.Contains(BlobHash.Of(_kernel)));
    }

    private ImageManifest OtherImage()
    {
        byte[] kernel = TestDirectory.Content(9, 5000);
        ImageManifest other = ImageManifest.Create(new ManifestContent
        {
            Name = "other",
            Tag = "latest",
            Architecture = "x86_64",
            Created = DateTimeOffset.UnixEpoch,
            Parts = [new ManifestPart(ManifestPartKind.Kernel, "vmlinuz", kernel.Length, _peer.Give(kernel))],
        });
        _peer.Give(other.ToBytes());
        return other;
    }
}
