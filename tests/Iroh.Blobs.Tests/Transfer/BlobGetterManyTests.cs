using Blixard.Testing.Basics;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Store;
using Iroh.Blobs.Tests.Provider;
using Iroh.Blobs.Transfer;

namespace Iroh.Blobs.Tests.Transfer;

/// <summary>Several blobs in one request, over streams in memory.</summary>
public sealed class BlobGetterManyTests : IAsyncLifetime
{
    private readonly MemoryBlobStore _full = new();
    private readonly MemoryBlobStore _store = new();
    private readonly List<TempTag> _tags = [];
    private BlobProvider _provider = null!;
    private LocalSource _source = null!;

    private static CancellationToken Cancel => Patience.Token;

    public ValueTask InitializeAsync()
    {
        _provider = new BlobProvider(_full);
        _source = new LocalSource("source", _provider);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        _tags.ForEach(static tag => tag.Dispose());
        _provider.Dispose();
        _source.Dispose();
        await _store.DisposeAsync();
        await _full.DisposeAsync();
    }

    [Fact]
    public async Task Blobs_of_all_sizes_come_in_one_request_and_each_once()
    {
        BlobHash[] hashes = [await AddAsync(1), await AddAsync(16_385), await AddAsync(2_000_000), await AddAsync(70_000)];
        long told = 0;
        await GetAsync([hashes[2], BlobHash.Empty, .. hashes, hashes[0]], _source, bytes => told = bytes);
        Assert.All(hashes, hash => Assert.True(_store.GetStatus(hash).IsComplete));
        Assert.Equal(1, _source.Requests);
        Assert.Equal(1 + 16_385 + 2_000_000 + 70_000, told);
        await GetAsync(hashes, _source);
        Assert.Equal(1, _source.Requests);
    }

    [Fact]
    public async Task Thousands_of_small_blobs_take_one_request()
    {
        var hashes = new List<BlobHash>();
        for (int i = 0; i < 3000; i++)
        {
            _tags.Add(await _full.AddBytesAsync(BitConverter.GetBytes(i), cancellationToken: Cancel));
            hashes.Add(_tags[^1].Hash);
        }

        await GetAsync(hashes, _source);
        Assert.Equal(3000, _store.List().Count);
        Assert.Equal(1, _source.Requests);
    }

    [Fact]
    public async Task Of_a_blob_that_is_here_in_part_the_rest_is_asked_for()
    {
        BlobHash part = await AddAsync(1_000_000), none = await AddAsync(50_000);
        await new BlobGetter(_store).GetRangesAsync(_source, part, ChunkRanges.FromChunks(0, 800), Cancel);
        long before = _source.BytesSent;
        await GetAsync([part, none], _source);
        Assert.True(_store.GetStatus(part).IsComplete && _store.GetStatus(none).IsComplete);
        Assert.InRange(_source.BytesSent - before, 200_000, 260_000);
    }

    [Fact]
    public async Task One_that_the_source_does_not_have_is_named_and_those_before_it_are_here()
    {
        BlobHash first = await AddAsync(40_000), nobody = BlobHash.Of("nobody has this"u8), last = await AddAsync(50_000);
        BlobTransferException exception = await FailAsync([first, nobody, last], _source);
        Assert.Equal((BlobTransferFailure.NotFound, nobody), (exception.Failure, exception.Blob));
        Assert.True(_store.GetStatus(first).IsComplete);
        Assert.Equal(BlobPresence.Absent, _store.GetStatus(last).Presence);
        exception = await FailAsync([nobody, last], _source);
        Assert.Equal((BlobTransferFailure.NotFound, nobody), (exception.Failure, exception.Blob));
        await GetAsync([first, last], _source);
        Assert.True(_store.GetStatus(last).IsComplete);
    }

    [Fact]
    public async Task Wrong_bytes_are_a_lie_about_the_blob_in_which_they_are()
    {
        BlobHash first = await AddAsync(100_000), second = await AddAsync(200_000);
        var liar = new TamperingSource("liar", _source, static (position, bytes) =>
        {
            if (position <= 150_000 && position + bytes.Length > 150_000)
                bytes.Span[(int)(150_000 - position)] ^= 0x10;
            return ValueTask.FromResult(bytes.Length);
        });
        BlobTransferException exception = await FailAsync([first, second], liar);
        Assert.Equal((BlobTransferFailure.Lying, second, "liar"), (exception.Failure, exception.Blob, exception.SourceName));
        Assert.True(_store.GetStatus(first).IsComplete);
        await GetAsync([first, second], _source);
        Assert.True(_store.GetStatus(second).IsComplete);
    }

    [Fact]
    public async Task What_came_before_the_source_stopped_is_not_asked_for_again()
    {
        BlobHash first = await AddAsync(300_000), second = await AddAsync(310_000);
        var cut = new TamperingSource("cut", _source, static (position, bytes) => ValueTask.FromResult(position < 350_000 ? bytes.Length : 0));
        Assert.Equal((BlobTransferFailure.NotFound, second), await FailAsync([first, second], cut) is var failed ? (failed.Failure, failed.Blob) : default);
        Assert.True(_store.GetStatus(first).IsComplete);
        long before = _source.BytesSent;
        await GetAsync([first, second], _source);
        Assert.InRange(_source.BytesSent - before, 1, 315_000);
    }

    [Fact]
    public async Task Who_may_not_have_them_is_told_so()
    {
        using var closed = new BlobProvider(_full, new BlobProviderOptions
        {
            Authorize = static request => ValueTask.FromResult(request.Kind == BlobRequestKind.GetMany ? BlobAccess.Permission : BlobAccess.Allow),
        });
        using var source = new LocalSource("closed", closed);
        Assert.Equal(BlobTransferFailure.Refused, (await FailAsync([await AddAsync(1000)], source)).Failure);
    }

    private Task GetAsync(IReadOnlyCollection<BlobHash> hashes, IBlobSource source, Action<long>? told = null) =>
        new BlobGetter(_store).GetManyAsync(source, hashes, told is null ? null : new Told<long>(told), Cancel);

    private Task<BlobTransferException> FailAsync(BlobHash[] hashes, IBlobSource source) =>
        Assert.ThrowsAsync<BlobTransferException>(() => GetAsync(hashes, source));

    private async Task<BlobHash> AddAsync(int length)
    {
        _tags.Add(await _full.AddBytesAsync(CapturedRequestTests.Pattern(length), cancellationToken: Cancel));
        return _tags[^1].Hash;
    }
}
