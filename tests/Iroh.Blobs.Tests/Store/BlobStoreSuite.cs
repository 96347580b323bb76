using Blixard.Testing.Basics;
using Iroh.Blobs.Bao;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Store;

namespace Iroh.Blobs.Tests.Store;

/// <summary>What every blob store does.</summary>
public abstract class BlobStoreSuite : IAsyncLifetime
{
    protected const int Group = BaoTree.GroupLength;

    protected string Folder { get; } = Directory.CreateTempSubdirectory("blob-store-").FullName;

    protected IBlobStore Store { get; private set; } = null!;

    private static CancellationToken Cancelled => new(canceled: true);

    public ValueTask InitializeAsync()
    {
        Store = Open(new BlobStoreOptions { FlushesToDisk = false });
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1024)]
    [InlineData(Group)]
    [InlineData(Group + 1)]
    [InlineData(100_000)]
    [InlineData((258 * Group) + 77)]
    public async Task What_is_added_is_read_back(int length)
    {
        var blob = new TestBlob(1, length);
        using TempTag fromBytes = await Store.AddBytesAsync(blob.Content);
        Assert.Equal(blob.Hash, fromBytes.Hash);
        Assert.Equal(length, fromBytes.Size);
        Assert.Equal(new BlobStatus(BlobPresence.Complete, length, length), Store.GetStatus(blob.Hash));
        using IBlobContent content = Store.TryOpen(blob.Hash)!;
        Assert.Equal(blob.Content, await blob.ReadAsync(content));
        Assert.Equal(BlobBitfield.Complete((ulong)length), content.Bitfield);
        await using Stream stream = content.OpenStream();
        stream.Position = length / 2;
        var rest = new byte[length - (length / 2)];
        await stream.ReadExactlyAsync(rest);
        Assert.Equal(blob.Content[(length / 2)..], rest);
        Assert.Equal(0, await stream.ReadAsync(rest));
    }

    [Theory]
    [InlineData(ImportMode.Copy, 5000)]
    [InlineData(ImportMode.Copy, 3_000_000)]
    [InlineData(ImportMode.Reference, 5000)]
    [InlineData(ImportMode.Reference, 3_000_000)]
    public async Task Files_and_streams_are_the_same_blob_as_their_bytes(ImportMode mode, int length)
    {
        var blob = new TestBlob(2, length);
        string path = Path.Combine(Folder, "source");
        await File.WriteAllBytesAsync(path, blob.Content);
        long told = 0;
        using TempTag fromFile = await Store.AddFileAsync(path, mode, progress: bytes => told = bytes);
        Assert.Equal((blob.Hash, length), (fromFile.Hash, told));
        using (IBlobContent content = Store.TryOpen(blob.Hash)!)
            Assert.Equal(blob.Content, await blob.ReadAsync(content));

        fromFile.Dispose();
        await Store.CollectGarbageAsync();
        Assert.Equal(default, Store.GetStatus(blob.Hash));
        Assert.True(File.Exists(path));
        using TempTag fromStream = await Store.AddStreamAsync(new TricklingStream(blob.Content));
        Assert.Equal(blob.Hash, fromStream.Hash);
        using IBlobContent again = Store.TryOpen(blob.Hash)!;
        Assert.Equal(blob.Content, await blob.ReadAsync(again));
    }

    [Fact]
    public async Task An_import_that_is_called_off_leaves_nothing()
    {
        var blob = new TestBlob(3, 5_000_000);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Store.AddStreamAsync(new MemoryStream(blob.Content), cancellationToken: Cancelled));
        await Assert.ThrowsAsync<IOException>(() => Store.AddStreamAsync(new FailingStream(blob.Content)));
        Assert.Empty(Store.List());
        Assert.Empty((await Store.CheckAsync(repair: false)).Findings);
    }

    [Fact]
    public async Task The_empty_blob_is_always_here()
    {
        Assert.Equal(new BlobStatus(BlobPresence.Complete, 0, 0), Store.GetStatus(BlobHash.Empty));
        using IBlobContent content = Store.TryOpen(BlobHash.Empty)!;
        Assert.Equal(0, await content.ReadAsync(0, new byte[10]));
        using TempTag tag = await Store.AddBytesAsync(ReadOnlyMemory<byte>.Empty);
        Assert.Equal(BlobHash.Empty, tag.Hash);
        Assert.Empty(Store.List());
        Assert.False(Store.Delete(BlobHash.Empty));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(Group)]
    [InlineData(Group + 1)]
    [InlineData((300 * Group) + 5)]
    public async Task A_writer_completes_a_blob_in_any_order(int length)
    {
        var blob = new TestBlob(4, length);
        await using IBlobWriter writer = Store.OpenWriter(blob.Hash);
        Assert.False(writer.Completed.IsCompleted);
        for (int i = 0; i < blob.GroupCount; i++)
            await blob.WriteGroupsAsync(writer, (int)((i * 7L + 3) % blob.GroupCount), 1);
        for (int i = 0; i < blob.GroupCount; i++)
            await blob.WriteGroupsAsync(writer, i, 1);
        await writer.Completed.WaitAsync(Patience.Limit);
        Assert.True(Store.GetStatus(blob.Hash).IsComplete);
        using IBlobContent content = Store.TryOpen(blob.Hash)!;
        Assert.Equal(blob.Content, await blob.ReadAsync(content));
        Assert.Empty((await Store.CheckAsync(repair: false)).Findings);
    }

    [Fact]
    public async Task A_partial_blob_serves_what_it_has_and_nothing_else()
    {
        var blob = new TestBlob(5, (40 * Group) + 100);
        await using IBlobWriter writer = Store.OpenWriter(blob.Hash);
        await blob.WriteGroupsAsync(writer, 8, 4);
        Assert.Equal(new BlobStatus(BlobPresence.Partial, null, 4 * Group), Store.GetStatus(blob.Hash));
        using IBlobContent content = Store.TryOpen(blob.Hash)!;
        var buffer = new byte[8 * Group];
        Assert.Equal(4 * Group, await content.ReadGroupsAsync(8 * Group, buffer));
        Assert.Equal(blob.Content[(8 * Group)..(12 * Group)], buffer[..(4 * Group)]);
        Assert.Equal(0, await content.ReadGroupsAsync(0, buffer));
        Assert.Equal(Group, await content.ReadGroupsAsync(11 * Group, buffer));
        await Assert.ThrowsAsync<BlobMissingException>(async () => await content.ReadAsync(5, buffer));
        await Assert.ThrowsAsync<BlobMissingException>(() => Store.ExportAsync(blob.Hash, Path.Combine(Folder, "out")));

        await blob.WriteGroupsAsync(writer, 40, 1);
        Assert.Equal(blob.Content.Length, Store.GetStatus(blob.Hash).Size);
        Assert.Equal(ChunkRanges.FromChunks(128, 192).Union(ChunkRanges.FromChunks(640, 641)), content.Provable);
    }

    [Fact]
    public async Task Parts_of_a_group_can_be_proven_once_it_is_whole()
    {
        var blob = new TestBlob(6, 3 * Group);
        await using IBlobWriter writer = Store.OpenWriter(blob.Hash);
        await blob.WriteGroupsAsync(writer, 0, 1);
        await writer.WriteLeafAsync(3 * Group, 2 * Group, blob.Content.AsMemory(2 * Group, 4096));
        using IBlobContent content = Store.TryOpen(blob.Hash)!;
        Assert.Equal(ChunkRanges.FromChunks(0, 16).Union(ChunkRanges.FromChunks(32, 36)), content.Bitfield.Present);
        Assert.Equal(ChunkRanges.FromChunks(0, 16), content.Provable);
        await blob.WriteGroupsAsync(writer, 2, 1);
        Assert.Equal(ChunkRanges.FromChunks(0, 16).Union(ChunkRanges.FromChunks(32, 48)), content.Provable);
        await blob.WriteGroupsAsync(writer, 1, 1);
        Assert.True(content.Bitfield.IsComplete);
    }

    [Fact]
    public async Task Several_writers_fill_one_blob_while_it_is_read()
    {
        var blob = new TestBlob(7, (200 * Group) + 1);
        Task[] writers = [.. Enumerable.Range(0, 4).Select(number => Task.Run(async () =>
        {
            await using IBlobWriter writer = Store.OpenWriter(blob.Hash);
            for (int group = number * 50; group < Math.Min(blob.GroupCount, (number + 1) * 50 + 10); group++)
                await blob.WriteGroupsAsync(writer, group, 1);
        }))];
        long seen = 0;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await foreach (BlobBitfield bitfield in Store.ObserveAsync(blob.Hash, limit.Token))
        {
            long now = (long)bitfield.Present.CountBytes(bitfield.Size);
            Assert.True(now >= seen);
            seen = now;
            if (Store.TryOpen(blob.Hash) is { } content)
            {
                using (content)
                {
                    var buffer = new byte[4 * Group];
                    int read = await content.ReadGroupsAsync(100 * Group, buffer);
                    Assert.Equal(blob.Content[(100 * Group)..((100 * Group) + read)], buffer[..read]);
                }
            }
        }

        await Task.WhenAll(writers);
        Assert.Equal(blob.Content.Length, seen);
        Assert.True(Store.GetStatus(blob.Hash).IsComplete);
    }

    [Fact]
    public async Task A_size_that_was_only_claimed_falls_when_another_is_proven()
    {
        var blob = new TestBlob(8, 20 * Group);
        await using IBlobWriter liar = Store.OpenWriter(blob.Hash);
        await using IBlobWriter honest = Store.OpenWriter(blob.Hash);

        // The root's pair verifies under any size that has a root of two halves.
        await liar.WritePairAsync(17 * Group, 0, new byte[64]);
        BlobSizeConflictException refused = await Assert.ThrowsAsync<BlobSizeConflictException>(() => blob.WriteGroupsAsync(honest, 0, 1));
        Assert.False(refused.IsVerified);
        await blob.WriteGroupsAsync(honest, 19, 1);
        Assert.Equal(20 * Group, Store.GetStatus(blob.Hash).Size);
        refused = await Assert.ThrowsAsync<BlobSizeConflictException>(async () => await liar.WritePairAsync(17 * Group, 0, new byte[64]));
        Assert.True(refused.IsVerified);
        await blob.WriteAllAsync(honest);
        await honest.Completed.WaitAsync(Patience.Limit);
        using IBlobContent content = Store.TryOpen(blob.Hash)!;
        Assert.Equal(blob.Content, await blob.ReadAsync(content));
    }

    [Fact]
    public async Task Leaves_without_the_pairs_above_them_never_make_a_blob_complete()
    {
        var blob = new TestBlob(9, 4 * Group);
        await using IBlobWriter writer = Store.OpenWriter(blob.Hash);
        await Assert.ThrowsAsync<BlobDamagedException>(async () => await writer.WriteLeafAsync(4 * Group, 0, blob.Content));
        Assert.False(Store.GetStatus(blob.Hash).IsComplete);
        await blob.WriteAllAsync(writer);
        Assert.True(Store.GetStatus(blob.Hash).IsComplete);
    }

    [Fact]
    public async Task Exports_have_the_content_and_make_folders()
    {
        var blob = new TestBlob(10, 3_000_000);
        using TempTag tag = await Store.AddBytesAsync(blob.Content);
        string copy = Path.Combine(Folder, "a", "b", "copy"), moved = Path.Combine(Folder, "c", "moved");
        await Store.ExportAsync(blob.Hash, copy);
        await Store.ExportAsync(blob.Hash, moved, ExportMode.Reference);
        Assert.Equal(blob.Content, await File.ReadAllBytesAsync(copy));
        Assert.Equal(blob.Content, await File.ReadAllBytesAsync(moved));
        using (IBlobContent content = Store.TryOpen(blob.Hash)!)
            Assert.Equal(blob.Content, await blob.ReadAsync(content));
        Assert.Equal([copy], Directory.GetFiles(Path.GetDirectoryName(copy)!));
        Assert.Equal([moved], Directory.GetFiles(Path.GetDirectoryName(moved)!));
        await Assert.ThrowsAsync<BlobMissingException>(() => Store.ExportAsync(new TestBlob(11, 10).Hash, copy));
    }

    [Fact]
    public async Task A_referenced_file_that_changed_is_no_longer_the_blob()
    {
        var blob = new TestBlob(12, 3_000_000);
        string path = Path.Combine(Folder, "source");
        await File.WriteAllBytesAsync(path, blob.Content);
        using TempTag tag = await Store.AddFileAsync(path, ImportMode.Reference);
        DateTime written = File.GetLastWriteTimeUtc(path);

        // Changed behind the clock's back: found when it is read.
        blob.Content[2_000_000] ^= 1;
        await File.WriteAllBytesAsync(path, blob.Content);
        File.SetLastWriteTimeUtc(path, written);
        using (IBlobContent content = Store.TryOpen(blob.Hash)!)
        {
            Assert.Equal(16 * Group, await content.ReadGroupsAsync(0, new byte[16 * Group]));
            await Assert.ThrowsAsync<BlobDamagedException>(async () => await content.ReadGroupsAsync(2_000_000 / Group * Group, new byte[Group]));
        }

        Assert.Equal(default, Store.GetStatus(blob.Hash));
        blob.Content[2_000_000] ^= 1;
        await File.WriteAllBytesAsync(path, blob.Content);
        using TempTag again = await Store.AddFileAsync(path, ImportMode.Reference);
        File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddHours(1));
        Assert.Throws<BlobDamagedException>(() => Store.TryOpen(blob.Hash));
        Assert.Equal(default, Store.GetStatus(blob.Hash));
    }

    [Fact]
    public async Task A_copy_takes_the_place_of_a_reference_and_only_it_counts_for_the_quota()
    {
        await using IBlobStore small = Open(new BlobStoreOptions { BytesMax = 40 * Group, FlushesToDisk = false }, "quota");
        TestBlob fits = new(13, 30 * Group), isTooLarge = new(14, 50 * Group);
        string first = Path.Combine(Folder, "first"), second = Path.Combine(Folder, "second");
        await File.WriteAllBytesAsync(first, fits.Content);
        await File.WriteAllBytesAsync(second, isTooLarge.Content);
        using TempTag referredFirst = await small.AddFileAsync(first, ImportMode.Reference);
        using TempTag referredSecond = await small.AddFileAsync(second, ImportMode.Reference);
        Assert.Equal(0, ((BlobStore)small).UsedBytes);
        await Assert.ThrowsAsync<StoreFullException>(() => small.AddFileAsync(second));
        using TempTag copied = await small.AddFileAsync(first);
        Assert.Equal(fits.Content.Length, ((BlobStore)small).UsedBytes);
        File.Delete(first);
        using IBlobContent content = small.TryOpen(fits.Hash)!;
        Assert.True(await fits.MatchesAsync(content));
    }

    [Fact]
    public async Task Tags_are_listed_renamed_and_taken_away()
    {
        using TempTag blob = await Store.AddBytesAsync("content"u8.ToArray());
        Store.SetTag("b/two", blob.Content);
        Store.SetTag("b/one", blob.Content);
        Store.SetTag("a", HashAndFormat.HashSequence(blob.Hash));
        Assert.Equal(["a", "b/one", "b/two"], Store.ListTags().Select(tag => tag.Name));
        Assert.Equal(["b/one", "b/two"], Store.ListTags("b/").Select(tag => tag.Name));
        Assert.True(Store.RenameTag("b/two", "a"));
        Assert.False(Store.RenameTag("b/two", "x"));
        Assert.Equal(blob.Content, Store.TryGetTag("a")!.Content);
        Assert.True(Store.DeleteTag("a"));
        Assert.False(Store.DeleteTag("a"));
        Assert.Null(Store.TryGetTag("a"));
        string first = Store.CreateTag(blob.Content), second = Store.CreateTag(blob.Content);
        Assert.NotEqual(first, second);
        Assert.Matches(@"^auto-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z(-\d+)?$", second);
        Assert.Throws<ArgumentException>(() => Store.SetTag("", blob.Content));
        Assert.Throws<ArgumentException>(() => Store.SetTag(new string('x', BlobTag.NameBytesMax + 1), blob.Content));
    }

    [Fact]
    public async Task A_collection_removes_what_nothing_keeps_and_only_that()
    {
        var blobs = Enumerable.Range(20, 9).Select(seed => new TestBlob(seed, seed % 2 == 0 ? 100 : 50_000)).ToArray();
        BlobHash[] hashes = [.. blobs.Select(blob => blob.Hash)];
        foreach (TestBlob blob in blobs)
            (await Store.AddBytesAsync(blob.Content)).Dispose();
        Store.SetTag("tagged", HashAndFormat.Raw(hashes[0]));
        using TempTag held = Store.Hold(HashAndFormat.Raw(hashes[1]));
        using IBlobContent open = Store.TryOpen(hashes[2])!;
        await using IBlobWriter writer = Store.OpenWriter(hashes[3]);
        byte[] sequence = [.. hashes[4].ToArray(), .. hashes[5].ToArray()];
        using TempTag sequenceTag = await Store.AddBytesAsync(sequence, BlobFormat.HashSequence);
        Store.SetTag("sequence", sequenceTag.Content);
        sequenceTag.Dispose();
        TempTag rawSequence = await Store.AddBytesAsync(hashes[8].ToArray());
        var partial = new TestBlob(40, 10 * Group);
        await using (IBlobWriter partialWriter = Store.OpenWriter(partial.Hash))
            await partial.WriteGroupsAsync(partialWriter, 2, 3);
        BlobHash? late = null;

        GarbageReport report = await Store.CollectGarbageAsync(async cancellation =>
        {
            // Added while the collection runs, and let go of at once.
            using TempTag added = await Store.AddBytesAsync("late"u8.ToArray(), cancellationToken: cancellation);
            late = added.Hash;
            return new HashSet<BlobHash> { hashes[6] };
        });

        Assert.Equal(3, report.RemovedBlobs);
        Assert.Equal(
            hashes[..7].Append(sequenceTag.Hash).Append(rawSequence.Hash).Append(late!.Value).Order(),
            Store.List().Select(entry => entry.Hash));
        rawSequence.Dispose();
    }

    [Fact]
    public async Task What_comes_to_be_held_while_a_collection_runs_stays_with_its_children()
    {
        for (int round = 0; round < 40; round++)
        {
            BlobHash[] children = new BlobHash[8];
            for (int i = 0; i < children.Length; i++)
                using (TempTag child = await Store.AddBytesAsync(TestBlob.Get((round * 10) + i, i % 4 == 0 ? 20_000 : 50).Content))
                    children[i] = child.Hash;
            using TempTag root = await Store.AddBytesAsync(children.SelectMany(child => child.ToArray()).ToArray());
            BlobHash[] all = [.. children, root.Hash];
            var start = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Task<GarbageReport> collection = Store.CollectGarbageAsync(_ =>
            {
                start.SetResult();
                return ValueTask.FromResult<IReadOnlySet<BlobHash>>(new HashSet<BlobHash>());
            });
            await Patience.ForAsync(start.Task, "the collection asks what is live");
            using TempTag held = Store.Hold(HashAndFormat.HashSequence(root.Hash));
            bool[] wereHere = [.. all.Select(hash => Store.GetStatus(hash).IsComplete)];
            await collection;
            Assert.Equal(wereHere, all.Select(hash => Store.GetStatus(hash).IsComplete));
        }
    }

    [Fact]
    public async Task Only_what_nothing_keeps_can_be_deleted()
    {
        using TempTag child = await Store.AddBytesAsync("child"u8.ToArray());
        using TempTag root = await Store.AddBytesAsync(child.Hash.ToArray(), BlobFormat.HashSequence);
        Assert.False(Store.Delete(child.Hash));
        child.Dispose();
        Assert.False(Store.Delete(child.Hash));
        root.Dispose();
        Assert.True(Store.Delete(child.Hash));
        Assert.False(Store.Delete(child.Hash));
        Assert.Null(Store.TryOpen(child.Hash));
    }

    [Fact]
    public async Task A_quota_counts_blobs_and_what_downloads_will_need()
    {
        await using IBlobStore small = Open(new BlobStoreOptions { BytesMax = 100 * Group, FlushesToDisk = false }, "quota");
        using (TempTag tag = await small.AddBytesAsync(new byte[60 * Group]))
        {
            StoreFullException full = await Assert.ThrowsAsync<StoreFullException>(async () => await small.AddBytesAsync(TestBlob.Bytes(1, 50 * Group)));
            Assert.Contains($"{100 * Group} bytes are taken (quota)", full.Message, StringComparison.Ordinal);
            var blob = new TestBlob(50, 50 * Group);
            await using IBlobWriter writer = small.OpenWriter(blob.Hash);
            await blob.WriteGroupsAsync(writer, 49, 1);
            await Assert.ThrowsAsync<StoreFullException>(() => blob.WriteGroupsAsync(writer, 0, 1));
            Assert.Equal(Group, small.GetStatus(blob.Hash).PresentBytes);
        }

        await small.CollectGarbageAsync();
        Assert.Equal(0, ((BlobStore)small).UsedBytes);
        var fits = new TestBlob(51, 100 * Group);
        await using IBlobWriter again = small.OpenWriter(fits.Hash);
        await fits.WriteAllAsync(again);
        Assert.True(small.GetStatus(fits.Hash).IsComplete);
    }

    [Fact]
    public async Task Random_histories_do_what_a_simple_model_does()
    {
        int seed = Environment.TickCount;
        for (int round = 0; round < 6; round++)
        {
            string name = $"history{round}";
            IBlobStore store = Open(new BlobStoreOptions { FlushesToDisk = false }, name);
            try
            {
                await new RandomHistory(store, seed + round).RunAsync(250, !IsPersistent ? null : async () =>
                {
                    await store.DisposeAsync();
                    return store = Open(new BlobStoreOptions { FlushesToDisk = false }, name);
                });
            }
            finally
            {
                await store.DisposeAsync();
            }
        }
    }

    /// <summary>Whether a store that is opened again has what it had.</summary>
    protected virtual bool IsPersistent => false;

    protected abstract IBlobStore Open(BlobStoreOptions options, string name = "store");

    protected sealed class TricklingStream(byte[] content) : MemoryStream(content)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, 7777)], cancellationToken);
    }

    private sealed class FailingStream(byte[] content) : MemoryStream(content)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            Position > 3_000_000 ? throw new IOException("the source failed") : base.ReadAsync(buffer, cancellationToken);
    }
}
