using Blixard.Images.Blobs;
using Blixard.Images.Fetching;
using Blixard.Images.Tests.Support;
using Iroh.Blobs;

namespace Blixard.Images.Tests.Fetching;

public sealed class BlobFetcherTests : IDisposable
{
    private const int Group = ChunkGroups.GroupLength;

    private readonly TestDirectory _directory = new();
    private readonly byte[] _content = TestDirectory.Content(7, (4 * Group) + 333);
    private readonly FakePeer _a = new("node-a");
    private readonly FakePeer _b = new("node-b");
    private readonly BlobHash _hash;
    private BlobStore _store;

    public BlobFetcherTests()
    {
        _hash = _a.Give(_content);
        _b.Give(_content);
        _store = BlobStore.Open(_directory.Store());
    }

    private string PartialPath => Path.Combine(_store.Root, "partial", _hash.ToString());

    private string BookkeepingPath => PartialPath + ".groups";

    public void Dispose() => _directory.Dispose();

    private Task FetchAsync(Action<FetchProgress>? progress = null, CancellationToken token = default, params FakePeer[] peers) =>
        new BlobFetcher(_store, TimeProvider.System)
            .FetchAsync(_hash, _content.Length, [.. peers.Select(peer => peer.Source)], progress, token);

    private void AssertFetched()
    {
        Assert.True(_store.TryGetPath(_hash, out string path));
        Assert.Equal(_content, File.ReadAllBytes(path));
        Assert.Empty(Directory.GetFiles(Path.Combine(_store.Root, "partial")));
    }

    // Leaves the first groups in the partial file, as a killed process does.
    private async Task FetchSomeAsync(int groups)
    {
        using var cancel = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => FetchAsync(
            at =>
            {
                if (at.PresentBytes == (long)groups * Group)
                    cancel.Cancel();
            },
            cancel.Token, _a));
        _a.Asked.Clear();
        _store = BlobStore.Open(_directory.Store());
    }

    [Fact]
    public async Task A_blob_arrives_and_each_group_is_reported()
    {
        var told = new List<FetchProgress>();

        await FetchAsync(told.Add, default, _a);

        AssertFetched();
        Assert.Equal([0, Group, 2 * Group, 3 * Group, 4 * Group, _content.Length], told.Select(at => at.PresentBytes));
        Assert.Equal("node-a", told[^1].Source);
        await FetchAsync(null, default);
        Assert.Equal(FakePeer.GroupListOf(_content), await _store.GetGroupListAsync(_hash, default));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(Group)]
    public async Task A_blob_of_one_group_needs_no_list(int length)
    {
        byte[] content = TestDirectory.Content(8, length);
        _a.GroupList = _ => throw new InvalidOperationException("not to be asked");
        BlobHash hash = _a.Give(content);

        await new BlobFetcher(_store, TimeProvider.System).FetchAsync(hash, length, [_a.Source], null, default);

        Assert.True(_store.TryGetPath(hash, out string path));
        Assert.Equal(content, File.ReadAllBytes(path));
    }

    [Fact]
    public async Task A_fetch_that_was_killed_goes_on_where_it_stopped()
    {
        await FetchSomeAsync(2);
        Assert.False(_store.Contains(_hash));

        await FetchAsync(null, default, _a);

        AssertFetched();
        Assert.Equal([(2 * Group, _content.Length - (2 * Group))], _a.Asked);
    }

    [Fact]
    public async Task A_torn_or_lost_bookkeeping_file_costs_fetching_again_and_no_more()
    {
        await FetchSomeAsync(2);
        File.WriteAllBytes(BookkeepingPath, File.ReadAllBytes(BookkeepingPath)[..^3]);
        await FetchAsync(null, default, _a);
        AssertFetched();
        Assert.Equal([(0, _content.Length)], _a.Asked);

        _store.Discard(_hash);
        await FetchSomeAsync(2);
        File.Delete(BookkeepingPath);
        await FetchAsync(null, default, _a);
        AssertFetched();
    }

    [Fact]
    public async Task Any_damage_to_the_bookkeeping_or_the_partial_file_is_found_when_the_fetch_goes_on()
    {
        for (int seed = 0; seed < 6; seed++)
        {
            await FetchSomeAsync(3);
            string path = seed % 2 == 0 ? BookkeepingPath : PartialPath;
            byte[] bytes = File.ReadAllBytes(path);
            ulong random = new Iroh.Cryptography.SeededRandomSource((ulong)seed).NextUInt64();
            bytes[random % (ulong)bytes.Length] ^= 0xA5;
            File.WriteAllBytes(path, seed % 3 == 0 ? bytes[..(int)((random >> 8) % (ulong)bytes.Length)] : bytes);

            await FetchAsync(null, default, _a);

            AssertFetched();
            _store.Discard(_hash);
        }
    }

    [Fact]
    public async Task Marks_of_groups_that_never_reached_the_disk_are_not_believed()
    {
        await FetchSomeAsync(1);
        byte[] bookkeeping = File.ReadAllBytes(BookkeepingPath);
        bookkeeping.AsSpan(^5..).Fill(0xA5);
        File.WriteAllBytes(BookkeepingPath, bookkeeping);

        await FetchAsync(null, default, _b);

        AssertFetched();
        Assert.Equal([(Group, _content.Length - Group)], _b.Asked);
    }

    [Fact]
    public async Task A_corrupt_chunk_is_named_and_never_written()
    {
        _a.Piece = (offset, piece) =>
        {
            if (offset <= (2 * Group) + 5 && offset + piece.Length > (2 * Group) + 5)
                piece[0] ^= 1;
            return piece;
        };

        CorruptChunkException e = await Assert.ThrowsAsync<CorruptChunkException>(() => FetchAsync(null, default, _a));

        // The piece that was changed begins in the group before.
        Assert.Equal((_hash, (long)Group, "node-a"), (e.Hash, e.Offset, e.Peer));
        Assert.Contains($"blob {_hash} could not be fetched: node-a sent a corrupt chunk at byte {Group}", e.Message);
        Assert.False(_store.TryGetPath(_hash, out _));
        byte[] here = File.ReadAllBytes(PartialPath);
        Assert.Equal(_content[..Group], here);
    }

    [Fact]
    public async Task After_a_corrupt_chunk_another_peer_goes_on_from_that_group()
    {
        _a.Piece = (offset, piece) => offset > 3 * Group ? new byte[piece.Length] : piece;

        await FetchAsync(null, default, _a, _b);

        AssertFetched();
        Assert.Equal([(3 * Group, _content.Length - (3 * Group))], _b.Asked);
    }

    [Fact]
    public async Task A_peer_that_vanishes_is_followed_by_the_next()
    {
        _a.BeforePiece = (offset, _) => offset > 2 * Group ? throw new IOException("connection lost") : Task.CompletedTask;
        var told = new List<FetchProgress>();

        await FetchAsync(told.Add, default, _a, _b);

        AssertFetched();
        Assert.Equal(["", "node-a", "node-a", "node-b", "node-b", "node-b"], told.Select(at => at.Source));
    }

    [Fact]
    public async Task A_peer_that_falls_silent_is_followed_by_the_next()
    {
        _a.BeforePiece = (offset, token) => offset > Group ? Task.Delay(Timeout.Infinite, token) : Task.CompletedTask;
        var fetcher = new BlobFetcher(_store, TimeProvider.System, TimeSpan.FromMilliseconds(50));

        await fetcher.FetchAsync(_hash, _content.Length, [_a.Source, _b.Source], null, default);
        AssertFetched();

        _store.Discard(_hash);
        BlobFetchException e = await Assert.ThrowsAsync<BlobFetchException>(
            () => fetcher.FetchAsync(_hash, _content.Length, [_a.Source], null, default));
        Assert.Equal(SourceFailureKind.Stalled, Assert.Single(e.Failures).Kind);
    }

    [Fact]
    public async Task An_answer_that_ends_early_or_goes_on_too_long_is_a_failure_of_its_peer()
    {
        _a.Piece = (offset, piece) => offset + piece.Length == _content.Length ? [] : piece;
        BlobFetchException e = await Assert.ThrowsAsync<BlobFetchException>(() => FetchAsync(null, default, _a));
        Assert.Equal(SourceFailureKind.Truncated, Assert.Single(e.Failures).Kind);

        _b.Piece = (_, piece) => [.. piece, 1];
        _store = BlobStore.Open(_directory.Store("fresh"));
        Assert.Equal(
            SourceFailureKind.CorruptChunk,
            (await Assert.ThrowsAsync<CorruptChunkException>(() => FetchAsync(null, default, _b))).Failures[0].Kind);

        // What comes after the last group is not looked at: all that was asked for is here.
        _b.Piece = (offset, piece) => offset + piece.Length == _content.Length ? [.. piece, 1] : piece;
        await FetchAsync(null, default, _b);
        AssertFetched();
    }

    [Fact]
    public async Task A_group_list_of_something_else_is_refused_before_content_is_asked_for()
    {
        Func<byte[], byte[]>[] lies =
        [
            list => [.. list, 1],
            list => list[..^32],
            list => [],
            list =>
            {
                list[40] ^= 1;
                return list;
            },
        ];
        foreach (Func<byte[], byte[]> lie in lies)
        {
            _a.GroupList = lie;
            BlobFetchException e = await Assert.ThrowsAsync<BlobFetchException>(() => FetchAsync(null, default, _a));
            Assert.Equal(SourceFailureKind.WrongGroupList, Assert.Single(e.Failures).Kind);
        }
        Assert.Equal(0, _a.RangeCalls);

        await FetchAsync(null, default, _a, _b);
        AssertFetched();
    }

    [Fact]
    public async Task A_size_that_is_not_the_blobs_never_makes_a_blob()
    {
        foreach (int size in (int[])[_content.Length - 1, _content.Length + 1, Group, 9 * Group, (4 * Group) + 1, 2 * Group])
        {
            var fetcher = new BlobFetcher(_store, TimeProvider.System);
            await Assert.ThrowsAnyAsync<BlobFetchException>(() => fetcher.FetchAsync(_hash, size, [_a.Source], null, default));
            Assert.False(_store.Contains(_hash));
        }

        await FetchAsync(null, default, _a);
        AssertFetched();
    }

    [Fact]
    public async Task A_blob_that_nobody_has_is_not_found_and_says_who_was_asked()
    {
        BlobHash unknown = BlobHash.Of("unknown"u8);
        var fetcher = new BlobFetcher(_store, TimeProvider.System);

        BlobNotFoundException e = await Assert.ThrowsAsync<BlobNotFoundException>(
            () => fetcher.FetchAsync(unknown, 7, [_a.Source, _b.Source], null, default));
        Assert.Contains("node-a does not have it; node-b does not have it", e.Message);
        e = await Assert.ThrowsAsync<BlobNotFoundException>(() => fetcher.FetchAsync(unknown, 7, [], null, default));
        Assert.Contains("there is nobody to ask", e.Message);
    }

    [Fact]
    public async Task Two_who_fetch_one_blob_take_turns_and_the_second_finds_it_there()
    {
        await Task.WhenAll(FetchAsync(null, default, _a), FetchAsync(null, default, _a));

        AssertFetched();
        Assert.Equal(1, _a.RangeCalls);
    }

    [Fact]
    public async Task A_small_blob_of_unknown_size_is_checked_in_memory()
    {
        var fetcher = new BlobFetcher(_store, TimeProvider.System);
        BlobHash hash = _a.Give(_content[..500]);
        _b.Give(_content[..500]);

        Assert.Equal(_content[..500], await fetcher.FetchSmallAsync(hash, 500, [_a.Source], default));
        BlobFetchException e = await Assert.ThrowsAsync<BlobFetchException>(() => fetcher.FetchSmallAsync(hash, 499, [_a.Source], default));
        Assert.Equal(SourceFailureKind.WrongSize, Assert.Single(e.Failures).Kind);
        _a.Piece = (_, piece) => piece[..^1];
        Assert.Equal(_content[..500], await fetcher.FetchSmallAsync(hash, 500, [_a.Source, _b.Source], default));
        await Assert.ThrowsAsync<CorruptChunkException>(() => fetcher.FetchSmallAsync(hash, 500, [_a.Source], default));
    }
}
