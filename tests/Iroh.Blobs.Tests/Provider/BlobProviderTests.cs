using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Blobs.Formats;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Requests;
using Iroh.Blobs.Store;
using Iroh.Blobs.Tests.Transfer;
using Iroh.Blobs.Transfer;
using Iroh.Cryptography;

namespace Iroh.Blobs.Tests.Provider;

/// <summary>What a provider gives to whom, over streams in memory.</summary>
public sealed class BlobProviderTests : IAsyncLifetime
{
    private static readonly EndpointId s_peer = SecretKey.FromBytes(new byte[32]).PublicKey;

    private readonly MemoryBlobStore _store = new();
    private readonly List<TempTag> _tags = [];

    private static CancellationToken Cancel => Patience.Token;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        _tags.ForEach(static tag => tag.Dispose());
        await _store.DisposeAsync();
    }

    [Fact]
    public async Task What_is_not_there_ends_with_code_3()
    {
        using var provider = new BlobProvider(_store);
        Assert.Equal(3UL, (await FailAsync(provider, GetRequest.OfBlob(BlobHash.Of("nobody has this"u8)).ToBytes())).Code);
    }

    [Fact]
    public async Task Who_may_not_is_refused_with_code_1_and_who_asks_too_much_with_code_2()
    {
        BlobHash open = await AddAsync(100), secret = await AddAsync(200), busy = await AddAsync(300);
        var asked = new List<BlobRequestInfo>();
        using var provider = new BlobProvider(_store, new BlobProviderOptions
        {
            Authorize = request =>
            {
                asked.Add(request);
                return ValueTask.FromResult(
                    request.Hashes[0] == secret ? BlobAccess.Permission : request.Hashes[0] == busy ? BlobAccess.RateLimited : BlobAccess.Allow);
            },
        });
        Assert.Equal(108, (await AskAsync(provider, GetRequest.OfBlob(open).ToBytes())).Length);
        Assert.Equal(1UL, (await FailAsync(provider, GetRequest.OfBlob(secret).ToBytes())).Code);
        Assert.Equal(2UL, (await FailAsync(provider, GetRequest.OfBlob(busy).ToBytes())).Code);
        Assert.All(asked, static request => Assert.Equal((s_peer, BlobRequestKind.Get, false), (request.Peer, request.Kind, request.IsHashSequence)));
    }

    [Fact]
    public async Task A_decision_that_fails_is_a_no()
    {
        BlobHash hash = await AddAsync(100);
        using var provider = new BlobProvider(_store, new BlobProviderOptions { Authorize = static _ => throw new InvalidOperationException("no list") });
        Assert.Equal(1UL, (await FailAsync(provider, GetRequest.OfBlob(hash).ToBytes())).Code);
    }

    [Fact]
    public async Task A_peer_has_so_many_requests_and_no_more()
    {
        BlobHash hash = await AddAsync(2_000_000);
        using var provider = new BlobProvider(_store, new BlobProviderOptions { RequestsPerPeerMax = 1 });
        (MemoryBlobStream near, MemoryBlobStream far) = MemoryBlobStream.CreatePair();
        Task serving = provider.ServeStreamAsync(s_peer, far, Cancel);
        await near.WriteAsync(GetRequest.OfBlob(hash).ToBytes());
        near.CompleteWrites();
        await near.ReadExactlyAsync(new byte[8], Cancel);

        Assert.Equal(2UL, (await FailAsync(provider, GetRequest.OfBlob(hash).ToBytes())).Code);
        var rest = new MemoryStream();
        await near.CopyToAsync(rest, Cancel);
        await serving;
        Assert.True(rest.Length > 2_000_000);

        // The place is free again.
        Assert.True((await AskAsync(provider, GetRequest.OfBlob(hash).ToBytes())).Length > 2_000_000);
    }

    [Fact]
    public async Task A_push_is_refused_unless_it_is_allowed()
    {
        await using var theirs = new MemoryBlobStore();
        byte[] content = Content(50_000);
        byte[] push = [.. new PushRequest(BlobHash.Of(content), ChunkRangesSequence.OfBlob(ChunkRanges.All)).ToBytes(), .. await EncodeAsync(content)];

        using var closed = new BlobProvider(_store);
        Assert.Equal(1UL, (await FailAsync(closed, push)).Code);
        Assert.Equal(BlobPresence.Absent, _store.GetStatus(BlobHash.Of(content)).Presence);

        using var open = new BlobProvider(_store, new BlobProviderOptions { AllowPush = true });
        Assert.Empty(await AskAsync(open, push));
        Assert.True(_store.GetStatus(BlobHash.Of(content)).IsComplete);
    }

    [Fact]
    public async Task A_push_that_lies_stores_nothing_wrong()
    {
        byte[] content = Content(50_000);
        byte[] push = [.. new PushRequest(BlobHash.Of(content), ChunkRangesSequence.OfBlob(ChunkRanges.All)).ToBytes(), .. await EncodeAsync(content)];
        push[^1] ^= 1;
        var events = new RecordedEvents();
        using var provider = new BlobProvider(_store, new BlobProviderOptions { AllowPush = true, Events = events });
        await FailOrEndAsync(provider, push);
        Assert.False(_store.GetStatus(BlobHash.Of(content)).IsComplete);
        Assert.Equal(BlobRequestOutcome.Malformed, Assert.Single(events.Ended).Outcome);
    }

    [Fact]
    public async Task A_pushed_collection_arrives_with_its_children()
    {
        byte[][] contents = [Content(10), Content(40_000)];
        var collection = new Collection([new CollectionEntry("a", BlobHash.Of(contents[0])), new CollectionEntry("b", BlobHash.Of(contents[1]))]);
        byte[] root = collection.ToHashSequence().Bytes.ToArray();
        var push = new MemoryStream();
        push.Write(new PushRequest(BlobHash.Of(root), ChunkRangesSequence.All).ToBytes());
        foreach (byte[] blob in new[] { root, collection.NamesToBytes(), contents[0], contents[1] })
            push.Write(await EncodeAsync(blob));
        using var provider = new BlobProvider(_store, new BlobProviderOptions { AllowPush = true });
        Assert.Empty(await AskAsync(provider, push.ToArray()));
        Assert.All(contents, content => Assert.True(_store.GetStatus(BlobHash.Of(content)).IsComplete));
    }

    [Fact]
    public async Task Of_a_partial_blob_whole_groups_are_served_as_far_as_they_go()
    {
        await using var full = new MemoryBlobStore();
        byte[] content = Content(200_000);
        using TempTag tag = await full.AddBytesAsync(content, cancellationToken: Cancel);
        using var theirs = new BlobProvider(full);
        var getter = new BlobGetter(_store);
        await getter.GetRangesAsync(new LocalSource("full", theirs), tag.Hash, ChunkRanges.FromChunks(0, 32), Cancel);
        using var provider = new BlobProvider(_store);

        byte[] part = await AskAsync(provider, GetRequest.OfBlob(tag.Hash, ChunkRanges.FromChunks(16, 32)).ToBytes());
        byte[] same = await AskAsync(theirs, GetRequest.OfBlob(tag.Hash, ChunkRanges.FromChunks(16, 32)).ToBytes());
        Assert.Equal(same, part);

        // It ends where something is missing, and what was there before that arrives.
        byte[] whole = await AskAsync(theirs, GetRequest.OfBlob(tag.Hash).ToBytes());
        byte[] cut = await AskAsync(provider, GetRequest.OfBlob(tag.Hash).ToBytes());
        Assert.InRange(cut.Length, 64 * 1024, whole.Length - 1);
        Assert.Equal(whole.AsSpan(0, cut.Length).ToArray(), cut);
    }

    [Fact]
    public async Task Several_blobs_come_in_the_order_of_the_list()
    {
        BlobHash first = await AddAsync(20_000), second = await AddAsync(100);
        using var provider = new BlobProvider(_store);
        byte[] response = await AskAsync(
            provider, new GetManyRequest([second, first], ChunkRangesSequence.FromRanges([ChunkRanges.All, ChunkRanges.LastChunk])).ToBytes());
        byte[] expected =
        [
            .. await AskAsync(provider, GetRequest.OfBlob(second).ToBytes()),
            .. await AskAsync(provider, GetRequest.OfBlob(first, ChunkRanges.LastChunk).ToBytes()),
        ];
        Assert.Equal(expected, response);
    }

    [Fact]
    public async Task An_observer_hears_what_is_there_and_what_comes()
    {
        await using var full = new MemoryBlobStore();
        using TempTag tag = await full.AddBytesAsync(Content(200_000), cancellationToken: Cancel);
        using var theirs = new BlobProvider(full);
        using var provider = new BlobProvider(_store, new BlobProviderOptions { ObserveInterval = TimeSpan.Zero });
        await using IAsyncEnumerator<BlobBitfield> heard =
            BlobObserver.ObserveAsync(new LocalSource("partial", provider), tag.Hash, Cancel).GetAsyncEnumerator(Cancel);
        Assert.True(await heard.MoveNextAsync());
        Assert.True(heard.Current.Present.IsEmpty);

        await new BlobGetter(_store).GetAsync(new LocalSource("full", theirs), new HashAndFormat(tag.Hash, BlobFormat.Raw), null, Cancel);
        while (await heard.MoveNextAsync() && !heard.Current.IsComplete)
        {
            // Until all is there.
        }

        Assert.True(heard.Current.Present.IsAll);
        Assert.Equal(200_000UL, heard.Current.Size);
        Assert.False(await heard.MoveNextAsync());
    }

    [Fact]
    public async Task Nonsense_ends_the_stream_without_a_word_and_never_hurts()
    {
        BlobHash hash = await AddAsync(70_000);
        using var provider = new BlobProvider(_store, new BlobProviderOptions { AllowPush = true });
        byte[][] seeds =
        [
            GetRequest.OfBlob(hash).ToBytes(), GetRequest.OfHashSequence(hash).ToBytes(),
            new GetManyRequest([hash, hash], ChunkRangesSequence.All).ToBytes(),
            new PushRequest(hash, ChunkRangesSequence.All).ToBytes(), [2], [], [0], [8, 0xff, 0xff, 0xff, 0xff, 0x0f],
        ];
        const ulong Seed = 20260105;
        var random = new SeededRandomSource(Seed);
        for (int i = 0; i < 400; i++)
        {
            byte[] request = [.. seeds[random.NextBelow((ulong)seeds.Length)]];
            for (ulong flips = random.NextBelow(4); flips > 0 && request.Length > 0; flips--)
                request[random.NextBelow((ulong)request.Length)] = (byte)random.NextBelow(256);
            int length = random.NextBelow(3) == 0 ? (int)random.NextBelow((ulong)request.Length + 1) : request.Length;

            // An observer would go on for ever.
            if (length > 0 && request[0] == (byte)BlobRequestType.Observe)
                continue;
            string what = $"seed {Seed}, request {i}: {Convert.ToHexStringLower(request.AsSpan(0, length))}";
            Task ended = FailOrEndAsync(provider, request[..length]);
            Assert.True(await Task.WhenAny(ended, Task.Delay(TimeSpan.FromSeconds(30), Cancel)) == ended, what);
        }
    }

    [Fact]
    public async Task A_request_of_more_than_a_megabyte_is_not_read()
    {
        var events = new RecordedEvents();
        using var provider = new BlobProvider(_store, new BlobProviderOptions { Events = events });
        var request = new byte[BlobProtocol.RequestLengthMax + 100_000];
        Assert.True(await FailOrEndAsync(provider, request) is null or BlobStreamAbortedException);
        Assert.Empty(events.Ended);
    }

    [Fact]
    public async Task Events_tell_who_asked_what_and_how_it_ended()
    {
        BlobHash hash = await AddAsync(600_000);
        var events = new RecordedEvents();
        using var provider = new BlobProvider(_store, new BlobProviderOptions { Events = events });
        byte[] response = await AskAsync(provider, GetRequest.OfBlob(hash).ToBytes());
        (BlobRequestInfo request, BlobRequestOutcome outcome, long bytes) = Assert.Single(events.Ended);
        Assert.Equal((s_peer, hash, BlobRequestOutcome.Completed, (long)response.Length), (request.Peer, request.Hashes[0], outcome, bytes));
        Assert.True(events.Progress.Count > 1);
        Assert.Equal(response.Length, events.Progress[^1]);
    }

    private static byte[] Content(int length) => CapturedRequestTests.Pattern(length);

    private static async Task<byte[]> AskAsync(BlobProvider provider, byte[] request)
    {
        (byte[] response, Exception? failure) = await ExchangeAsync(provider, request);
        return failure is null ? response : throw failure;
    }

    private static async Task<BlobStreamAbortedException> FailAsync(BlobProvider provider, byte[] request) =>
        Assert.IsType<BlobStreamAbortedException>((await ExchangeAsync(provider, request)).Failure);

    private static async Task<Exception?> FailOrEndAsync(BlobProvider provider, byte[] request) => (await ExchangeAsync(provider, request)).Failure;

    private static async Task<(byte[] Response, Exception? Failure)> ExchangeAsync(BlobProvider provider, byte[] request)
    {
        (MemoryBlobStream near, MemoryBlobStream far) = MemoryBlobStream.CreatePair();
        Task serving = provider.ServeStreamAsync(s_peer, far, Cancel);
        var response = new MemoryStream();
        Exception? failure = null;
        try
        {
            await near.WriteAsync(request, Cancel);
            near.CompleteWrites();
        }
        catch (IOException)
        {
            // It was refused before it was read to its end; the response says why.
        }

        try
        {
            await near.CopyToAsync(response, Cancel);
        }
        catch (IOException exception)
        {
            failure = exception;
        }

        await near.DisposeAsync();
        await serving;
        return (response.ToArray(), failure);
    }

    private static async Task<byte[]> EncodeAsync(byte[] content)
    {
        await using var store = new MemoryBlobStore();
        using TempTag tag = await store.AddBytesAsync(content, cancellationToken: Cancel);
        using var provider = new BlobProvider(store);
        return await AskAsync(provider, GetRequest.OfBlob(tag.Hash).ToBytes());
    }

    private async Task<BlobHash> AddAsync(int length)
    {
        TempTag tag = await _store.AddBytesAsync(Content(length), cancellationToken: Cancel);
        _tags.Add(tag);
        return tag.Hash;
    }

    private sealed class RecordedEvents : IBlobProviderEvents
    {
        public List<(BlobRequestInfo Request, BlobRequestOutcome Outcome, long Bytes)> Ended { get; } = [];

        public List<long> Progress { get; } = [];

        public void OnStarted(BlobRequestInfo request)
        {
        }

        public void OnProgress(BlobRequestInfo request, long bytes) => Progress.Add(bytes);

        public void OnEnded(BlobRequestInfo request, BlobRequestOutcome outcome, long bytes, TimeSpan duration) => Ended.Add((request, outcome, bytes));
    }
}
