using System.Buffers.Binary;
using Blixard.Testing.Basics;
using Iroh.Blobs.Formats;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Store;
using Iroh.Blobs.Tests.Provider;
using Iroh.Blobs.Transfer;

namespace Iroh.Blobs.Tests.Transfer;

/// <summary>One source, good and bad, over streams in memory.</summary>
public sealed class BlobGetterTests : IAsyncLifetime
{
    private static readonly byte[] s_content = CapturedRequestTests.Pattern(1_000_001);

    private readonly MemoryBlobStore _full = new();
    private readonly MemoryBlobStore _store = new();
    private readonly BlobHash _hash = BlobHash.Of(s_content);
    private BlobProvider _provider = null!;
    private LocalSource _source = null!;
    private TempTag _tag = null!;

    private static CancellationToken Cancel => Patience.Token;

    public async ValueTask InitializeAsync()
    {
        _provider = new BlobProvider(_full);
        _source = new LocalSource("source", _provider);
        _tag = await _full.AddBytesAsync(s_content);
    }

    public async ValueTask DisposeAsync()
    {
        _tag.Dispose();
        _provider.Dispose();
        _source.Dispose();
        await _store.DisposeAsync();
        await _full.DisposeAsync();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1025)]
    [InlineData(16384)]
    [InlineData(16385)]
    [InlineData(65536)]
    [InlineData(65537)]
    [InlineData(300000)]
    public async Task A_blob_of_any_size_arrives(int length)
    {
        byte[] content = CapturedRequestTests.Pattern(length);
        using TempTag tag = await _full.AddBytesAsync(content, cancellationToken: Cancel);
        await new BlobGetter(_store).GetAsync(_source, new HashAndFormat(tag.Hash, BlobFormat.Raw), null, Cancel);
        Assert.Equal(length, _store.GetStatus(tag.Hash).Size);
        Assert.True(_store.GetStatus(tag.Hash).IsComplete);
    }

    [Fact]
    public async Task The_size_is_proven_by_the_last_chunk_alone()
    {
        Assert.Equal(s_content.Length, await new BlobGetter(_store).GetSizeAsync(_source, _hash, Cancel));
        Assert.InRange(_source.BytesSent, 1, 4096);
    }

    [Fact]
    public async Task What_is_here_is_not_asked_for_again()
    {
        var getter = new BlobGetter(_store);
        await getter.GetRangesAsync(_source, _hash, ChunkRanges.FromChunks(100, 500), Cancel);
        long before = _source.BytesSent;
        await getter.GetAsync(_source, new HashAndFormat(_hash, BlobFormat.Raw), null, Cancel);
        Assert.True(_store.GetStatus(_hash).IsComplete);
        Assert.InRange(_source.BytesSent, s_content.Length, s_content.Length + 40_000);
        Assert.True(before > 400 * 1024);
        int requests = _source.Requests;
        await getter.GetAsync(_source, new HashAndFormat(_hash, BlobFormat.Raw), null, Cancel);
        Assert.Equal(requests, _source.Requests);
    }

    [Fact]
    public async Task The_children_of_a_collection_come_in_one_request_and_only_those_that_are_missing()
    {
        byte[][] contents = [CapturedRequestTests.Pattern(10), CapturedRequestTests.Pattern(200_000), [], CapturedRequestTests.Pattern(10), CapturedRequestTests.Pattern(300_000)];
        var collection = new Collection([.. contents.Select(static (content, i) => new CollectionEntry($"file {i}", BlobHash.Of(content)))]);
        byte[] root = collection.ToHashSequence().Bytes.ToArray();
        var tags = new List<TempTag>();
        foreach (byte[] blob in (byte[][])[.. contents, collection.NamesToBytes(), root])
            tags.Add(await _full.AddBytesAsync(blob, cancellationToken: Cancel));
        tags.Add(await _store.AddBytesAsync(contents[4], cancellationToken: Cancel));
        await new BlobGetter(_store).GetAsync(_source, new HashAndFormat(BlobHash.Of(root), BlobFormat.HashSequence), null, Cancel);
        Assert.All(contents, content => Assert.True(content.Length == 0 || _store.GetStatus(BlobHash.Of(content)).IsComplete));
        Assert.Equal(2, _source.Requests);
        Assert.InRange(_source.BytesSent, 200_000, 220_000);
        tags.ForEach(static tag => tag.Dispose());
    }

    [Fact]
    public async Task Wrong_bytes_are_a_lie_and_are_not_stored()
    {
        var liar = new TamperingSource("liar", _source, static (position, bytes) =>
        {
            if (position <= 300_000 && position + bytes.Length > 300_000)
                bytes.Span[(int)(300_000 - position)] ^= 0x10;
            return ValueTask.FromResult(bytes.Length);
        });
        BlobTransferException exception = await FailAsync(liar);
        Assert.Equal((BlobTransferFailure.Lying, "liar"), (exception.Failure, exception.SourceName));
        Assert.False(exception.IsTransient);
        Assert.InRange(_store.GetStatus(_hash).PresentBytes, 1, s_content.Length - 1);

        // What came before the lie is right, and is kept.
        await new BlobGetter(_store).GetAsync(_source, new HashAndFormat(_hash, BlobFormat.Raw), null, Cancel);
        Assert.True(_store.GetStatus(_hash).IsComplete);
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(1UL)]
    [InlineData(1_000_000UL)]
    [InlineData(1UL << 63)]
    [InlineData(ulong.MaxValue)]
    public async Task Another_size_than_the_true_one_is_a_lie_and_takes_no_room(ulong claimed)
    {
        var liar = new TamperingSource("liar", _source, (position, bytes) =>
        {
            if (position == 0)
                BinaryPrimitives.WriteUInt64LittleEndian(bytes.Span, claimed);
            return ValueTask.FromResult(bytes.Length);
        });
        BlobTransferException exception = await FailAsync(liar);
        Assert.Equal(BlobTransferFailure.Lying, exception.Failure);
        Assert.Equal(0, _store.GetStatus(_hash).PresentBytes);
    }

    [Fact]
    public async Task A_size_that_is_a_byte_too_large_is_never_believed()
    {
        // The tree has the same shape; what gives it away is that the last chunk ends before it should.
        var liar = new TamperingSource("liar", _source, static (position, bytes) =>
        {
            if (position == 0)
                bytes.Span[0]++;
            return ValueTask.FromResult(bytes.Length);
        });
        Assert.Equal(BlobTransferFailure.NotFound, (await FailAsync(liar)).Failure);
        Assert.Null(_store.GetStatus(_hash).Size);
        Assert.Equal(0, _store.GetStatus(_hash).PresentBytes);
    }

    [Fact]
    public async Task A_size_that_changes_between_requests_is_a_lie()
    {
        int requests = 0;
        var liar = new TamperingSource("liar", _source, (position, bytes) =>
        {
            if (position == 0 && ++requests > 2)
                bytes.Span[0]++;
            return ValueTask.FromResult(bytes.Length);
        });
        BlobTransferException exception = await FailAsync(liar);
        Assert.Equal(BlobTransferFailure.Lying, exception.Failure);
        Assert.Contains($"instead of {s_content.Length}", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_stops_in_the_middle_is_said_not_to_have_it_and_what_came_is_kept()
    {
        var cut = new TamperingSource("cut", _source, static (position, bytes) => ValueTask.FromResult(position < 500_000 ? bytes.Length : 0));
        BlobTransferException exception = await FailAsync(cut);
        Assert.Equal(BlobTransferFailure.NotFound, exception.Failure);
        Assert.InRange(_store.GetStatus(_hash).PresentBytes, 200_000, 600_000);
    }

    [Theory]
    [InlineData(1UL, BlobTransferFailure.Refused)]
    [InlineData(2UL, BlobTransferFailure.Limited)]
    [InlineData(3UL, BlobTransferFailure.NotFound)]
    [InlineData(77UL, BlobTransferFailure.Aborted)]
    public async Task Codes_say_what_happened(ulong code, BlobTransferFailure failure)
    {
        var source = new ScriptedSource("source", (_, stream) =>
        {
            stream.Abort(code);
            return Task.CompletedTask;
        });
        Assert.Equal(failure, (await FailAsync(source)).Failure);
    }

    [Fact]
    public async Task One_that_sends_nothing_is_stalled()
    {
        var time = new ManualTimeProvider();
        var silent = new ScriptedSource("silent", static async (_, stream) => await stream.ReadsStopped);
        Assert.Equal(BlobTransferFailure.Stalled, (await FailInTimeAsync(silent, time)).Failure);
    }

    [Fact]
    public async Task One_that_sends_a_byte_now_and_then_trickles()
    {
        var time = new ManualTimeProvider();
        var trickling = new ScriptedSource("trickling", async (_, stream) =>
        {
            var size = new byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(size, s_content.Length);
            await stream.WriteAsync(size);
            while (!stream.ReadsStopped.IsCompleted)
            {
                await stream.WriteAsync(new byte[1]);
                await Task.Delay(TimeSpan.FromSeconds(2), time);
            }
        });
        BlobTransferException exception = await FailInTimeAsync(trickling, time);
        Assert.Equal(BlobTransferFailure.Trickling, exception.Failure);
        Assert.Contains("4096 bytes a second", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_no_hash_sequence_is_said_to_be_none()
    {
        BlobTransferException exception = await Assert.ThrowsAsync<BlobTransferException>(() => new BlobGetter(_store).GetAsync(
            _source, new HashAndFormat(_hash, BlobFormat.HashSequence), null, Cancel));
        Assert.Contains("is no hash sequence", exception.Message, StringComparison.Ordinal);
    }

    private Task<BlobTransferException> FailAsync(IBlobSource source) => Assert.ThrowsAsync<BlobTransferException>(
        () => new BlobGetter(_store).GetAsync(source, new HashAndFormat(_hash, BlobFormat.Raw), null, Cancel));

    private async Task<BlobTransferException> FailInTimeAsync(IBlobSource source, ManualTimeProvider time)
    {
        var getter = new BlobGetter(_store, new BlobTransferOptions { TimeProvider = time });
        Task getting = getter.GetAsync(source, new HashAndFormat(_hash, BlobFormat.Raw), null, Cancel);
        await Patience.AdvanceUntilAsync(getting, time, "the source is given up");
        return await Assert.ThrowsAsync<BlobTransferException>(() => getting);
    }
}
