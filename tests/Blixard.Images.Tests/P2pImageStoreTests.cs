using System.Diagnostics;
using System.Runtime.CompilerServices;
using Blixard.Images.Manifests;
using Blixard.Images.Tests.Support;
using Iroh.Blobs;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer;

namespace Blixard.Images.Tests;

public sealed class P2pImageStoreTests : IAsyncLifetime
{
    private const int DiskLength = (2 << 20) + 50;

    // What takes milliseconds on an idle machine, on one that has far too much to do.
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    private readonly TestDirectory _directory = new();
    private readonly byte[] _kernel = TestDirectory.Content(1, 30_000);
    private readonly byte[] _disk = TestDirectory.Content(2, DiskLength);
    private readonly BlobPeer _peer = new("node-a");
    private DiskBlobStore _blobs = null!;
    private BlobDownloader _downloader = null!;
    private ImageStore _images = null!;
    private P2pImageStore _fetcher = null!;
    private ImageManifest _image = null!;

    // For a call that begins now; it goes with its timer.
    private static CancellationToken Cancel => new CancellationTokenSource(s_limit).Token;

    public async ValueTask InitializeAsync()
    {
        _image = Manifest(_disk.Length);
        await GiveAsync(_peer);
        await OpenAsync(null);
    }

    public async ValueTask DisposeAsync()
    {
        _downloader.Dispose();
        await _blobs.DisposeAsync();
        await _peer.DisposeAsync();
        _directory.Dispose();
    }

    private async Task OpenAsync(long? quota)
    {
        _blobs = DiskBlobStore.Open(_directory.Store(), new BlobStoreOptions { BytesMax = quota });
        _downloader = new BlobDownloader(_blobs);
        _images = await ImageStore.OpenAsync(_blobs, _directory.Store("files"), TimeProvider.System);
        _fetcher = new P2pImageStore(_images, _downloader, TimeProvider.System);
    }

    private async Task ReopenAsync(long? quota = null)
    {
        _downloader.Dispose();
        await _blobs.DisposeAsync();
        await OpenAsync(quota);
    }

    private async Task GiveAsync(BlobPeer peer)
    {
        await peer.GiveAsync(_kernel);
        await peer.GiveAsync(_disk);
        await peer.GiveAsync(_image.ToBytes());
    }

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

        LocalImage local = await _fetcher.EnsureAsync(_image.Hash, [_peer], new Listener(told.Add), Cancel);

        Assert.Equal(_kernel, await File.ReadAllBytesAsync(local.KernelPath));
        Assert.Null(local.InitramfsPath);
        Assert.Equal(_disk, await File.ReadAllBytesAsync(Assert.Single(local.DiskPaths)));
        Assert.Equal(("manifest", 0L), (told[0].Part, told[0].TotalBytes));
        Assert.Equal(("root.raw", _image.TotalSize, _image.TotalSize), (told[^1].Part, told[^1].DoneBytes, told[^1].TotalBytes));
        Assert.Equal("node-a", Assert.Single(told[^1].Sources).Name);
        Assert.Equal(told.Select(at => at.DoneBytes).Order(), told.Select(at => at.DoneBytes));
        int requests = _peer.Requests;
        await _fetcher.EnsureAsync(_image.Hash, [_peer], null, Cancel);
        Assert.Equal(requests, _peer.Requests);
        await ReopenAsync();
        Assert.NotNull(await _images.TryGetLocalAsync(_image.Hash, default));
    }

    [Fact]
    public async Task Those_who_want_one_image_at_once_share_one_fetch()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _peer.BeforeRequest = token => gate.Task.WaitAsync(token);
        var told = new List<ImageProgress>();
        Task<LocalImage>[] waiting = [.. Enumerable.Range(0, 5).Select(_ => _fetcher.EnsureAsync(_image.Hash, [_peer], null, Cancel))];
        Task<LocalImage> last = _fetcher.EnsureAsync(_image.Hash, [], new Listener(told.Add), Cancel);

        gate.SetResult();
        await Task.WhenAll(waiting);
        await last;

        Assert.NotEmpty(told);
        Assert.InRange(_peer.BytesSent, 0, 2 * _image.TotalSize);
    }

    [Fact]
    public async Task One_who_gives_up_does_not_disturb_the_others_and_the_last_ends_the_fetch()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _peer.BeforeRequest = async token =>
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
        Task<LocalImage> first = _fetcher.EnsureAsync(_image.Hash, [_peer], null, one.Token);
        Task<LocalImage> second = _fetcher.EnsureAsync(_image.Hash, [_peer], null, two.Token);
        await reached.Task.WaitAsync(s_limit);

        await one.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        Assert.False(ended.Task.IsCompleted);
        await two.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        await ended.Task.WaitAsync(s_limit);

        gate.SetResult();
        Assert.NotNull(await _fetcher.EnsureAsync(_image.Hash, [_peer], null, Cancel));
    }

    [Fact]
    public async Task A_fetch_that_was_given_up_goes_on_where_it_stopped_also_after_a_restart()
    {
        await using var slow = new BlobPeer("slow", bytesPerSecond: 1 << 20);
        await GiveAsync(slow);
        using var enough = new CancellationTokenSource();
        void Listen(ImageProgress progress)
        {
            if (progress.DoneBytes > 1 << 20)
                enough.Cancel();
        }

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _fetcher.EnsureAsync(_image.Hash, [slow], new Listener(Listen), enough.Token));
        await WaitUntilAsync(() => _blobs.GetStatus(BlobHash.Of(_disk)).Presence == BlobPresence.Partial);
        await ReopenAsync();
        await _images.CollectAsync(withUnfinished: false, default);
        await _fetcher.EnsureAsync(_image.Hash, [_peer], null, Cancel);

        // More than a half was here; what is left costs its pairs and sizes besides.
        Assert.InRange(_peer.BytesSent, 1, DiskLength / 2 * 11 / 10);
    }

    [Fact]
    public async Task Two_sources_share_the_work()
    {
        await using BlobPeer one = new("one", bytesPerSecond: 1 << 20), two = new("two", bytesPerSecond: 1 << 20);
        await GiveAsync(one);
        await GiveAsync(two);
        var told = new List<ImageProgress>();

        await _fetcher.EnsureAsync(_image.Hash, [one, two], new Listener(told.Add), Cancel);

        Assert.Equal(["one", "two"], told[^1].Sources.Select(source => source.Name).Order());
        Assert.All(told[^1].Sources, source => Assert.True(source.Bytes > 0, $"{source.Name} sent nothing"));
    }

    [Fact]
    public async Task An_image_that_nobody_has_is_not_found_and_says_who_was_asked()
    {
        await using var other = new BlobPeer("node-b");

        BlobTransferException e = await Assert.ThrowsAnyAsync<BlobTransferException>(
            () => _fetcher.EnsureAsync(BlobHash.Of("no such image"u8), [_peer, other], null, Cancel));

        Assert.Equal(BlobTransferFailure.NotFound, e.Failure);
        Assert.Contains("node-a does not have it", e.Message);
        Assert.Contains("node-b does not have it", e.Message);
    }

    [Fact]
    public async Task Content_that_is_no_manifest_is_refused_and_does_not_stay()
    {
        BlobHash hash = await _peer.GiveAsync(_kernel[..100]);

        InvalidManifestException e = await Assert.ThrowsAsync<InvalidManifestException>(() => _fetcher.EnsureAsync(hash, [_peer], null, Cancel));

        Assert.Contains($"{hash} is not an image", e.Message);
        Assert.Empty(_blobs.List());
    }

    [Fact]
    public async Task The_hash_of_a_disk_is_refused_before_all_of_it_has_come()
    {
        const int Length = 8 << 20;
        await using var slow = new BlobPeer("slow", bytesPerSecond: 1 << 20);
        BlobHash hash = await slow.GiveAsync(TestDirectory.Content(7, Length));

        await Assert.ThrowsAsync<InvalidManifestException>(() => _fetcher.EnsureAsync(hash, [slow], null, Cancel));

        await slow.DisposeAsync();
        Assert.InRange(slow.BytesSent, 0, Length / 2);
    }

    [Fact]
    public async Task A_manifest_that_lies_about_a_size_never_makes_an_image()
    {
        ImageManifest liar = Manifest(_disk.Length + 1);
        await _peer.GiveAsync(liar.ToBytes());

        await Assert.ThrowsAsync<InvalidManifestException>(() => _fetcher.EnsureAsync(liar.Hash, [_peer], null, Cancel));
        await _fetcher.EnsureAsync(_image.Hash, [_peer], null, Cancel);
        await Assert.ThrowsAsync<InvalidManifestException>(() => _fetcher.EnsureAsync(liar.Hash, [_peer], null, Cancel));

        Assert.Equal([_image.Hash], _images.Images.Select(image => image.Hash));
    }

    [Fact]
    public async Task A_source_that_lies_is_named_and_another_completes_the_image()
    {
        await using var liar = new BlobPeer("liar");
        await GiveAsync(liar);
        liar.WrongFrom = 200_000;

        BlobTransferException e = await Assert.ThrowsAnyAsync<BlobTransferException>(() => _fetcher.EnsureAsync(_image.Hash, [liar], null, Cancel));

        Assert.Equal((BlobTransferFailure.Lying, BlobHash.Of(_disk), "liar"), (e.Failure, e.Blob, e.SourceName));
        Assert.False(_images.TryGet(_image.Hash, out _));
        Assert.NotNull(await _fetcher.EnsureAsync(_image.Hash, [liar, _peer], null, Cancel));
        Assert.Empty(await _images.VerifyAsync(_image.Hash, default));
    }

    [Fact]
    public async Task A_part_that_is_gone_from_the_disk_is_fetched_again()
    {
        LocalImage local = await _fetcher.EnsureAsync(_image.Hash, [_peer], null, Cancel);
        File.Delete(local.KernelPath);

        local = await _fetcher.EnsureAsync(_image.Hash, [_peer], null, Cancel);

        Assert.Equal(_kernel, await File.ReadAllBytesAsync(local.KernelPath));
    }

    [Fact]
    public async Task What_nothing_holds_makes_room_when_the_quota_is_full()
    {
        // Room for the image, its manifest and its collection, and for little else.
        await ReopenAsync(_image.TotalSize + 20_000);
        (await _blobs.AddBytesAsync(TestDirectory.Content(5, 100_000))).Dispose();

        Assert.NotNull(await _fetcher.EnsureAsync(_image.Hash, [_peer], null, Cancel));

        ImageManifest other = await OtherImageAsync();
        await Assert.ThrowsAsync<StoreFullException>(() => _fetcher.EnsureAsync(other.Hash, [_peer], null, Cancel));
        Assert.False(_images.TryGet(other.Hash, out _));
        Assert.NotNull(await _images.TryGetLocalAsync(_image.Hash, default));
    }

    [Fact]
    public async Task A_full_quota_never_costs_what_is_here_of_the_image_itself()
    {
        await ReopenAsync(_kernel.Length + 10_000);

        await Assert.ThrowsAsync<StoreFullException>(() => _fetcher.EnsureAsync(_image.Hash, [_peer], null, Cancel));

        Assert.True(_blobs.GetStatus(BlobHash.Of(_kernel)).IsComplete);
    }

    private async Task<ImageManifest> OtherImageAsync()
    {
        byte[] kernel = TestDirectory.Content(9, 50_000);
        ImageManifest other = ImageManifest.Create(new ManifestContent
        {
            Name = "other",
            Tag = "latest",
            Architecture = "x86_64",
            Created = DateTimeOffset.UnixEpoch,
            Parts = [new ManifestPart(ManifestPartKind.Kernel, "vmlinuz", kernel.Length, await _peer.GiveAsync(kernel))],
        });
        await _peer.GiveAsync(other.ToBytes());
        return other;
    }

    private static async Task WaitUntilAsync(Func<bool> condition, [CallerArgumentExpression(nameof(condition))] string text = "")
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < s_limit, $"not so within {s_limit.TotalSeconds:0} s: {text}");
            await Task.Delay(10);
        }
    }
}
