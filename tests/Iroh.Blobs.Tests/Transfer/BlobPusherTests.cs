using Blixard.Testing.Basics;
using Iroh.Blobs.Formats;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Store;
using Iroh.Blobs.Tests.Provider;
using Iroh.Blobs.Transfer;

namespace Iroh.Blobs.Tests.Transfer;

/// <summary>What is brought to whom, over streams in memory.</summary>
public sealed class BlobPusherTests : IAsyncLifetime
{
    private readonly MemoryBlobStore _store = new();
    private readonly MemoryBlobStore _theirs = new();
    private readonly List<TempTag> _tags = [];
    private readonly List<BlobRequestKind> _asked = [];
    private readonly List<IDisposable> _owned = [];

    private static CancellationToken Cancel => Patience.Token;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        _tags.ForEach(static tag => tag.Dispose());
        _owned.ForEach(static owned => owned.Dispose());
        await _store.DisposeAsync();
        await _theirs.DisposeAsync();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(16_384)]
    [InlineData(16_385)]
    [InlineData(300_000)]
    [InlineData(2_000_001)]
    public async Task A_blob_of_any_size_arrives_and_is_confirmed(int length)
    {
        BlobHash hash = await AddAsync(length);
        long told = 0;
        BlobPushReport report = await new BlobPusher(_store).PushAsync(Peer(), HashAndFormat.Raw(hash), new Told<long>(bytes => told = bytes), Cancel);
        Assert.True(_theirs.GetStatus(hash).IsComplete);
        Assert.Equal(new BlobPushReport(1, told, true), report);
        Assert.InRange(told, length, length + 8 + (length / 100));
    }

    [Fact]
    public async Task What_the_peer_has_is_not_sent_again()
    {
        BlobHash hash = await AddAsync(1_000_000);
        using var provider = new BlobProvider(_store);
        using var source = new LocalSource("ours", provider);
        await new BlobGetter(_theirs).GetRangesAsync(source, hash, ChunkRanges.FromChunks(100, 500), Cancel);
        BlobPushReport report = await PushAsync(hash);
        Assert.InRange(report.BytesSent, 500_000, 600_000);
        Assert.True(_theirs.GetStatus(hash).IsComplete && report.IsConfirmed);

        // And now nothing is opened but the question.
        _asked.Clear();
        Assert.Equal(new BlobPushReport(0, 0, true), await PushAsync(hash));
        Assert.Equal([BlobRequestKind.Observe], _asked);
    }

    [Fact]
    public async Task Of_a_sequence_the_children_that_the_peer_lacks_go_over_one_stream()
    {
        BlobHash small = await AddAsync(10), there = await AddAsync(200_000), large = await AddAsync(300_001);
        byte[] sequence = HashSequence.From([small, BlobHash.Empty, there, large, small]).Bytes.ToArray();
        _tags.Add(await _store.AddBytesAsync(sequence, cancellationToken: Cancel));
        (await _theirs.AddBytesAsync(CapturedRequestTests.Pattern(200_000), cancellationToken: Cancel)).Dispose();
        var content = new HashAndFormat(BlobHash.Of(sequence), BlobFormat.HashSequence);
        BlobPushReport report = await new BlobPusher(_store).PushAsync(Peer(), content, null, Cancel);
        Assert.Equal((3, true), (report.Blobs, report.IsConfirmed));
        Assert.InRange(report.BytesSent, 300_000, 310_000);
        Assert.All([content.Hash, small, there, large], hash => Assert.True(_theirs.GetStatus(hash).IsComplete));
        Assert.Single(_asked, BlobRequestKind.Push);
    }

    [Theory]
    [InlineData(100)] // all of it is sent before anybody says anything
    [InlineData(3_000_000)] // more than fits on the way
    public async Task A_peer_that_takes_no_pushes_refuses(int length)
    {
        BlobHash hash = await AddAsync(length);
        BlobTransferException exception = await FailAsync(hash, Peer(new BlobProviderOptions()));
        Assert.Equal((BlobTransferFailure.Refused, "peer"), (exception.Failure, exception.SourceName));
        Assert.False(exception.IsTransient);
        Assert.Empty(_theirs.List());
    }

    [Fact]
    public async Task A_peer_with_too_much_to_do_says_so()
    {
        BlobHash hash = await AddAsync(1000);
        IBlobSource peer = Peer(new BlobProviderOptions
        {
            AllowPush = true,
            Authorize = static request => ValueTask.FromResult(request.Kind == BlobRequestKind.Push ? BlobAccess.RateLimited : BlobAccess.Allow),
        });
        Assert.Equal(BlobTransferFailure.Limited, (await FailAsync(hash, peer)).Failure);
    }

    [Fact]
    public async Task A_peer_that_does_not_say_what_it_has_is_sent_everything_and_confirms_nothing()
    {
        BlobHash hash = await AddAsync(500_000);
        (await _theirs.AddBytesAsync(CapturedRequestTests.Pattern(500_000), cancellationToken: Cancel)).Dispose();
        IBlobSource peer = Peer(new BlobProviderOptions
        {
            AllowPush = true,
            Authorize = static request => ValueTask.FromResult(request.Kind == BlobRequestKind.Observe ? BlobAccess.Permission : BlobAccess.Allow),
        });
        BlobPushReport report = await new BlobPusher(_store).PushAsync(peer, HashAndFormat.Raw(hash), null, Cancel);
        Assert.False(report.IsConfirmed);
        Assert.InRange(report.BytesSent, 500_000, 510_000);
    }

    [Fact]
    public async Task A_peer_without_room_is_said_to_have_failed()
    {
        BlobHash hash = await AddAsync(3_000_000);
        await using var small = new MemoryBlobStore(new BlobStoreOptions { BytesMax = 100_000 });
        using var provider = new BlobProvider(small, new BlobProviderOptions { AllowPush = true });
        using var peer = new LocalSource("peer", provider);
        Assert.Equal(BlobTransferFailure.Aborted, (await FailAsync(hash, peer)).Failure);
    }

    [Fact]
    public async Task A_peer_that_vanishes_is_said_to_be_gone_and_keeps_what_came()
    {
        BlobHash hash = await AddAsync(5_000_000);
        LocalSource peer = Peer();
        BlobTransferException exception = await Assert.ThrowsAsync<BlobTransferException>(() => new BlobPusher(_store).PushAsync(
            peer, HashAndFormat.Raw(hash), new Told<long>(sent =>
            {
                if (sent > 1_000_000)
                    peer.Kill();
            }), Cancel));
        Assert.True(exception.Failure is BlobTransferFailure.Lost or BlobTransferFailure.Aborted, exception.Message);
        Assert.True(exception.IsTransient);
        long here = _theirs.GetStatus(hash).PresentBytes;
        BlobPushReport report = await PushAsync(hash);
        Assert.InRange(report.BytesSent, 1, ((5_000_000 - here) * 101 / 100) + 40_000);
        Assert.True(_theirs.GetStatus(hash).IsComplete);
    }

    [Fact]
    public async Task A_peer_that_cannot_be_reached_is_lost()
    {
        BlobHash hash = await AddAsync(1000);
        LocalSource peer = Peer();
        peer.Kill();
        Assert.Equal(BlobTransferFailure.Lost, (await FailAsync(hash, peer)).Failure);
    }

    [Fact]
    public async Task A_peer_that_takes_nothing_is_stalled()
    {
        BlobHash hash = await AddAsync(3_000_000);
        var time = new ManualTimeProvider();
        var peer = new SilentPeer();
        Task<BlobPushReport> pushing = new BlobPusher(_store, new BlobTransferOptions { TimeProvider = time })
            .PushAsync(peer, HashAndFormat.Raw(hash), null, Cancel);
        await Patience.AdvanceUntilAsync(pushing, time, "the push is given up");
        BlobTransferException exception = await Assert.ThrowsAsync<BlobTransferException>(() => pushing);
        Assert.Equal(BlobTransferFailure.Stalled, exception.Failure);
        Assert.Contains("took nothing for 20 s", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_not_here_as_a_whole_is_not_pushed()
    {
        BlobHash child = BlobHash.Of("nobody has this"u8);
        byte[] sequence = HashSequence.From([child]).Bytes.ToArray();
        _tags.Add(await _store.AddBytesAsync(sequence, cancellationToken: Cancel));
        LocalSource peer = Peer();
        BlobMissingException missing = await Assert.ThrowsAsync<BlobMissingException>(() => new BlobPusher(_store).PushAsync(
            peer, new HashAndFormat(BlobHash.Of(sequence), BlobFormat.HashSequence), null, Cancel));
        Assert.Equal(child, missing.Hash);
        await Assert.ThrowsAsync<BlobMissingException>(() => new BlobPusher(_store).PushAsync(peer, HashAndFormat.Raw(child), null, Cancel));
        Assert.Equal(0, peer.Requests);
    }

    [Fact]
    public async Task What_is_damaged_here_is_not_pushed_any_further()
    {
        string folder = Directory.CreateTempSubdirectory("blob-push-").FullName;
        try
        {
            await using DiskBlobStore disk = DiskBlobStore.Open(folder, new BlobStoreOptions { FlushesToDisk = false });
            using TempTag tag = await disk.AddBytesAsync(CapturedRequestTests.Pattern(1_000_000), cancellationToken: Cancel);
            string path = disk.TryGetPath(tag.Hash)!;
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            await using (FileStream file = File.OpenWrite(path))
            {
                file.Position = 700_000;
                file.Write(new byte[100]);
            }

            BlobMissingException missing = await Assert.ThrowsAsync<BlobMissingException>(
                () => new BlobPusher(disk).PushAsync(Peer(), tag.Content, null, Cancel));
            Assert.Contains("damaged", missing.Message, StringComparison.Ordinal);
            Assert.False(_theirs.GetStatus(tag.Hash).IsComplete);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private Task<BlobPushReport> PushAsync(BlobHash hash) => new BlobPusher(_store).PushAsync(Peer(), HashAndFormat.Raw(hash), null, Cancel);

    private Task<BlobTransferException> FailAsync(BlobHash hash, IBlobSource peer) => Assert.ThrowsAsync<BlobTransferException>(
        () => new BlobPusher(_store).PushAsync(peer, HashAndFormat.Raw(hash), null, Cancel));

    private LocalSource Peer(BlobProviderOptions? options = null)
    {
        var provider = new BlobProvider(_theirs, options ?? new BlobProviderOptions
        {
            AllowPush = true,
            Authorize = request =>
            {
                lock (_asked)
                    _asked.Add(request.Kind);
                return ValueTask.FromResult(BlobAccess.Allow);
            },
        });
        var peer = new LocalSource("peer", provider);
        _owned.AddRange([peer, provider]);
        return peer;
    }

    private async Task<BlobHash> AddAsync(int length)
    {
        _tags.Add(await _store.AddBytesAsync(CapturedRequestTests.Pattern(length), cancellationToken: Cancel));
        return _tags[^1].Hash;
    }

    /// <summary>Opens streams, and neither reads nor answers.</summary>
    private sealed class SilentPeer : IBlobSource
    {
        public string Name => "silent";

        public ValueTask<IBlobStream> OpenStreamAsync(CancellationToken cancellationToken) =>
            ValueTask.FromResult<IBlobStream>(MemoryBlobStream.CreatePair().Near);
    }
}
