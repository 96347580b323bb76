using System.Threading.Channels;
using Blixard.Testing.Basics;
using Iroh.Blobs.Formats;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Store;
using Iroh.Blobs.Tests.Provider;
using Iroh.Blobs.Transfer;

namespace Iroh.Blobs.Tests.Transfer;

/// <summary>One blob from many sources, over streams in memory.</summary>
public sealed class BlobDownloaderTests : IAsyncLifetime
{
    private static readonly byte[] s_content = CapturedRequestTests.Pattern(6_000_000);

    private readonly MemoryBlobStore _full = new();
    private readonly MemoryBlobStore _store = new();
    private readonly HashAndFormat _blob = new(BlobHash.Of(s_content), BlobFormat.Raw);
    private BlobProvider _provider = null!;
    private TempTag _tag = null!;

    private static CancellationToken Cancel => Patience.Token;

    public async ValueTask InitializeAsync()
    {
        _provider = new BlobProvider(_full);
        _tag = await _full.AddBytesAsync(s_content);
    }

    public async ValueTask DisposeAsync()
    {
        _tag.Dispose();
        _provider.Dispose();
        await _store.DisposeAsync();
        await _full.DisposeAsync();
    }

    [Fact]
    public async Task Four_sources_share_the_work_and_one_that_dies_on_the_way_is_named()
    {
        // None is so fast that it could do without the others, and the third is slow.
        BlobProvider[] providers = [.. Enumerable.Range(0, 4).Select(i => new BlobProvider(_full, new BlobProviderOptions { BytesPerSecond = i == 2 ? 2_000_000 : 5_000_000 }))];
        LocalSource[] sources = [.. providers.Select((provider, i) => new LocalSource($"source {i}", provider))];
        DownloadProgress? last = null;
        using var downloader = new BlobDownloader(_store);
        var progress = new Told<DownloadProgress>(report =>
        {
            last = report;
            if (report.Sources.Any(static source => source.Name == "source 2" && source.Bytes > 0))
                sources[2].Kill();
        });
        Task download = downloader.DownloadAsync(_blob, sources, progress, Cancel);
        await download;
        await AssertHereAsync(s_content);
        Assert.Equal(s_content.Length, last!.Present);
        Assert.Equal(s_content.Length, last.Total);
        Assert.Equal(4, last.Sources.Count);
        Assert.True(sources.Count(static source => source.BytesSent > 64 * 1024) >= 2, "one source did it all");
        Assert.InRange(sources.Sum(static source => source.BytesSent), s_content.Length, s_content.Length * 3 / 2);
        foreach (BlobProvider provider in providers)
            provider.Dispose();
    }

    [Fact]
    public async Task One_that_lies_is_dropped_and_named_and_the_others_deliver()
    {
        // Of all its responses together, as they may be short.
        long sent = 0;
        var liar = new TamperingSource("liar", new LocalSource("behind", _provider), (_, bytes) =>
        {
            if (Interlocked.Add(ref sent, bytes.Length) > 100_000)
                bytes.Span[0] ^= 1;
            return ValueTask.FromResult(bytes.Length);
        });
        DownloadProgress? last = null;
        using var downloader = new BlobDownloader(_store);

        // The honest one comes when the liar was found out.
        var sources = Channel.CreateUnbounded<IBlobSource>();
        sources.Writer.TryWrite(liar);
        var progress = new Told<DownloadProgress>(report =>
        {
            last = report;
            if (report.Sources.Any(static source => source.Failure is not null) && sources.Writer.TryWrite(new LocalSource("honest", _provider)))
                sources.Writer.TryComplete();
        });
        await downloader.DownloadAsync(_blob, sources.Reader.ReadAllAsync(Cancel), progress, Cancel);
        await AssertHereAsync(s_content);
        SourceProgress named = Assert.Single(last!.Sources, static source => source.State == BlobSourceState.Dropped);
        Assert.Equal(("liar", BlobTransferFailure.Lying), (named.Name, named.Failure!.Failure));
    }

    [Fact]
    public async Task Nobody_left_says_of_everybody_why()
    {
        await using var empty = new MemoryBlobStore();
        using var nothing = new BlobProvider(empty);
        using var closed = new BlobProvider(_full, new BlobProviderOptions { Authorize = static _ => ValueTask.FromResult(BlobAccess.Permission) });
        using var downloader = new BlobDownloader(_store, new BlobTransferOptions { WaitForContent = TimeSpan.Zero });
        BlobDownloadException exception = await Assert.ThrowsAsync<BlobDownloadException>(() => downloader.DownloadAsync(
            _blob, [new LocalSource("empty", nothing), new LocalSource("closed", closed)], null, Cancel));
        Assert.Equal(
            [("closed", BlobTransferFailure.Refused), ("empty", BlobTransferFailure.NotFound)],
            exception.Failures.Select(static failure => (failure.SourceName, failure.Failure)).Order());
        Assert.Equal(BlobTransferFailure.Refused, exception.Failure);
        Assert.Contains("closed does not allow it", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_source_it_ends_at_once()
    {
        using var downloader = new BlobDownloader(_store);
        BlobDownloadException exception = await Assert.ThrowsAsync<BlobDownloadException>(() => downloader.DownloadAsync(_blob, [], null, Cancel));
        Assert.Contains("nobody to ask", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_fetches_serves_what_it_has_to_the_next()
    {
        // A chain: the first holds back the rest until the last was fed.
        var isFed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var last = new MemoryBlobStore();
        using var middleProvider = new BlobProvider(_store);
        using BlobDownloader middle = new(_store), end = new(last);
        var first = new LocalSource("first", _provider);
        var source = new LocalSource("middle", middleProvider);
        Task fetching = middle.DownloadAsync(_blob, [HeldBack(first, 1_000_000, isFed.Task)], null, Cancel);
        var progress = new Told<DownloadProgress>(report =>
        {
            if (report.Present > 0)
                isFed.TrySetResult();
        });
        Task feeding = end.DownloadAsync(_blob, [source], progress, Cancel);
        await Patience.ForAsync(isFed.Task, "the last gets something before the middle one has everything");
        await feeding;
        await fetching;
        Assert.True(last.GetStatus(_blob.Hash).IsComplete);
        Assert.InRange(first.BytesSent, s_content.Length, s_content.Length * 3 / 2);
    }

    [Fact]
    public async Task Calls_for_one_blob_share_the_work_and_one_may_leave()
    {
        var hasLeft = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var source = new LocalSource("source", _provider);
        IBlobSource held = HeldBack(source, 1_000_000, hasLeft.Task);
        using var downloader = new BlobDownloader(_store);
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        Task leaver = downloader.DownloadAsync(_blob, [held], null, leaving.Token);
        Task second = downloader.DownloadAsync(_blob, [], null, Cancel);
        Task third = downloader.DownloadAsync(_blob, [held], null, Cancel);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaver);
        hasLeft.SetResult();
        await Task.WhenAll(second, third);
        await AssertHereAsync(s_content);
        Assert.InRange(source.BytesSent, s_content.Length, s_content.Length * 5 / 4);
    }

    [Fact]
    public async Task What_came_before_a_cancellation_is_not_fetched_again()
    {
        var isStopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        IBlobSource held = HeldBack(new LocalSource("source", _provider), 3_000_000, isStopped.Task);
        using var downloader = new BlobDownloader(_store);
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var progress = new Told<DownloadProgress>(report =>
        {
            if (report.Present > 1_500_000)
                stopping.Cancel();
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => downloader.DownloadAsync(_blob, [held], progress, stopping.Token));
        isStopped.SetResult();
        long here = _store.GetStatus(_blob.Hash).PresentBytes;
        Assert.True(here > 1_000_000, $"{here} bytes are left");
        var fast = new LocalSource("fast", _provider);
        await downloader.DownloadAsync(_blob, [fast], null, Cancel);
        await AssertHereAsync(s_content);
        Assert.InRange(fast.BytesSent, s_content.Length - here, s_content.Length - here + 300_000);
    }

    [Fact]
    public async Task One_that_says_nothing_is_dropped_as_stalled_while_the_other_delivers()
    {
        var time = new ManualTimeProvider();
        var silent = new ScriptedSource("silent", static async (_, stream) => await stream.ReadsStopped);
        using var downloader = new BlobDownloader(_store, new BlobTransferOptions { TimeProvider = time });
        Task download = downloader.DownloadAsync(_blob, [silent], null, Cancel);
        await Patience.AdvanceUntilAsync(download, time, "the silent source is dropped");
        BlobDownloadException exception = await Assert.ThrowsAsync<BlobDownloadException>(() => download);
        Assert.Equal(("silent", BlobTransferFailure.Stalled), (exception.SourceName, exception.Failure));
    }

    [Fact]
    public async Task A_collection_comes_with_its_children_from_whoever_has_them()
    {
        byte[][] contents = [CapturedRequestTests.Pattern(10), CapturedRequestTests.Pattern(40_000), CapturedRequestTests.Pattern(900_000), []];
        var collection = new Collection([.. contents.Select(static (content, i) => new CollectionEntry($"file {i}", BlobHash.Of(content)))]);
        byte[] root = collection.ToHashSequence().Bytes.ToArray();
        var tags = new List<TempTag>();
        foreach (byte[] blob in (byte[][])[.. contents, collection.NamesToBytes(), root])
            tags.Add(await _full.AddBytesAsync(blob, cancellationToken: Cancel));
        await using var other = new MemoryBlobStore();
        tags.Add(await other.AddBytesAsync(contents[2], cancellationToken: Cancel));
        using var otherProvider = new BlobProvider(other);
        using var downloader = new BlobDownloader(_store, new BlobTransferOptions { WaitForContent = TimeSpan.Zero });
        DownloadProgress? last = null;
        await downloader.DownloadAsync(
            new HashAndFormat(BlobHash.Of(root), BlobFormat.HashSequence), [new LocalSource("full", _provider), new LocalSource("other", otherProvider)],
            new Told<DownloadProgress>(report => last = report), Cancel);
        Assert.All(contents, content => Assert.True(content.Length == 0 || _store.GetStatus(BlobHash.Of(content)).IsComplete));
        Assert.Equal(root.Length + collection.NamesToBytes().Length + contents.Sum(static content => content.Length), last!.Present);
        Assert.DoesNotContain(last.Sources, static source => source.Name == "full" && source.State == BlobSourceState.Dropped);
        tags.ForEach(static tag => tag.Dispose());
    }

    [Fact]
    public async Task Several_who_fetch_at_once_trade_what_they_have()
    {
        const int Count = 4;
        var first = new LocalSource("first", _provider);
        MemoryBlobStore[] stores = [.. Enumerable.Range(0, Count).Select(static _ => new MemoryBlobStore())];
        BlobProvider[] providers = [.. stores.Select(static store => new BlobProvider(store, new BlobProviderOptions { ObserveInterval = TimeSpan.FromMilliseconds(5) }))];
        LocalSource[] sources = [.. providers.Select(static (provider, i) => new LocalSource($"peer {i}", provider))];
        await Task.WhenAll(stores.Select((store, i) => Task.Run(async () =>
        {
            using var downloader = new BlobDownloader(store);
            await downloader.DownloadAsync(_blob, [first, .. sources.Where((_, other) => other != i)], null, Cancel);
        })));
        Assert.All(stores, store => Assert.True(store.GetStatus(_blob.Hash).IsComplete));
        Assert.True(sources.Sum(static source => source.BytesSent) > s_content.Length / 2, "nobody traded");
        foreach (MemoryBlobStore store in stores)
            await store.DisposeAsync();
    }

    /// <summary>A source that sends so much, over all its answers, and the rest when it may.</summary>
    private static TamperingSource HeldBack(LocalSource source, long bytesMax, Task mayGoOn)
    {
        long sent = 0;
        return new TamperingSource(source.Name, source, async (_, bytes) =>
        {
            if (Interlocked.Add(ref sent, bytes.Length) > bytesMax)
                await Patience.ForAsync(mayGoOn, "the source may go on");
            return bytes.Length;
        });
    }

    private async Task AssertHereAsync(byte[] content)
    {
        using IBlobContent here = _store.TryOpen(BlobHash.Of(content))!;
        Assert.True(here.Bitfield.IsComplete);
        var read = new byte[content.Length];
        await using Stream stream = here.OpenStream();
        await stream.ReadExactlyAsync(read, Cancel);
        Assert.True(content.AsSpan().SequenceEqual(read));
    }
}

/// <summary>Progress that is told at once, on the thread that makes it.</summary>
internal sealed class Told<T>(Action<T> tell) : IProgress<T>
{
    public void Report(T value) => tell(value);
}
