using Blixard.Testing.Basics;
using Iroh.Blobs.Bao;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Store;
using Iroh.Blobs.Store.Disk;
using Microsoft.Data.Sqlite;

namespace Iroh.Blobs.Tests.Store;

/// <summary>Bad luck with disks: what is found when it is read, and what becomes of it.</summary>
public sealed class DiskDamageTests : IAsyncLifetime
{
    private const int Group = BaoTree.GroupLength;

    private readonly string _folder = Directory.CreateTempSubdirectory("blob-damage-").FullName;
    private readonly BlobStoreOptions _options = new() { FlushesToDisk = false };
    private DiskBlobStore _store = null!;

    private StoreFiles Files => new(_folder);

    public ValueTask InitializeAsync()
    {
        _store = DiskBlobStore.Open(_folder, _options);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Everything_is_there_when_the_store_is_opened_again()
    {
        TestBlob small = new(1, 3000), middle = new(2, 100_000), large = new(3, 5_000_000), partial = new(4, 10 * Group);
        foreach (TestBlob blob in (TestBlob[])[small, middle, large])
            using (TempTag tag = await _store.AddBytesAsync(blob.Content))
                _store.SetTag($"tag {blob.Content.Length}", tag.Content);
        _store.SetTag("partial", HashAndFormat.HashSequence(partial.Hash));
        await using (IBlobWriter writer = _store.OpenWriter(partial.Hash))
        {
            await partial.WriteGroupsAsync(writer, 3, 4);
            await writer.WriteLeafAsync(10 * Group, 9 * Group, partial.Content.AsMemory(9 * Group, 1024));
        }

        IReadOnlyList<BlobTag> tags = _store.ListTags();
        IReadOnlyList<BlobEntry> blobs = _store.List();
        long used = _store.UsedBytes;
        await ReopenAsync();
        Assert.Equal(tags, _store.ListTags());
        Assert.Equal(blobs, _store.List());
        Assert.Equal(used, _store.UsedBytes);
        foreach (TestBlob blob in (TestBlob[])[small, middle, large])
        {
            using IBlobContent content = _store.TryOpen(blob.Hash)!;
            Assert.Equal(blob.Content, await blob.ReadAsync(content));
        }
    }

    [Fact]
    public async Task A_flipped_bit_costs_one_group()
    {
        var blob = new TestBlob(5, (400 * Group) + 3);
        (await _store.AddBytesAsync(blob.Content)).Dispose();
        Flip(Files.Data(blob.Hash), (123 * Group) + 77);
        using (IBlobContent content = _store.TryOpen(blob.Hash)!)
        {
            var buffer = new byte[16 * Group];
            Assert.Equal(16 * Group, await content.ReadGroupsAsync(96 * Group, buffer));
            BlobDamagedException damage = await Assert.ThrowsAsync<BlobDamagedException>(async () => await content.ReadGroupsAsync(112 * Group, buffer));
            Assert.Equal((blob.Hash, 123L * Group), (damage.Hash, damage.Offset));
        }

        Assert.Equal(new BlobStatus(BlobPresence.Partial, blob.Content.Length, blob.Content.Length - Group), _store.GetStatus(blob.Hash));
        await ReopenAsync();
        await using IBlobWriter writer = _store.OpenWriter(blob.Hash);
        await blob.WriteGroupsAsync(writer, 123, 1);
        await AssertSoundAsync(blob);
    }

    [Theory]
    [InlineData(100)] // its outboard is in the index
    [InlineData(400)] // in a file
    public async Task A_wrong_outboard_is_made_again_from_the_content(int groups)
    {
        var blob = new TestBlob(6, (groups * Group) - 9);
        (await _store.AddBytesAsync(blob.Content)).Dispose();
        if (groups == 400)
            Flip(Files.Outboard(blob.Hash), 64 * 200);
        else
            await ChangeIndexAsync("UPDATE outboards SET bytes = zeroblob(length(bytes))");
        await AssertSoundAsync(blob);
        if (groups == 400)
            File.Delete(Files.Outboard(blob.Hash));
        await AssertSoundAsync(blob);
        await ReopenAsync();
        Assert.Empty((await _store.CheckAsync(repair: false)).Findings);
    }

    [Fact]
    public async Task Lost_and_shortened_content_is_not_opened_and_then_forgotten()
    {
        TestBlob lost = new(7, 100_000), shorter = new(8, 100_000), inline = new(9, 500);
        foreach (TestBlob blob in (TestBlob[])[lost, shorter, inline])
            (await _store.AddBytesAsync(blob.Content)).Dispose();
        File.Delete(Files.Data(lost.Hash));
        using (FileStream file = File.OpenWrite(Files.Data(shorter.Hash)))
            file.SetLength(5000);
        await ChangeIndexAsync("UPDATE contents SET bytes = zeroblob(500)");
        Assert.Throws<BlobDamagedException>(() => _store.TryOpen(lost.Hash));
        Assert.Throws<BlobDamagedException>(() => _store.TryOpen(shorter.Hash));
        using (IBlobContent content = _store.TryOpen(inline.Hash)!)
            await Assert.ThrowsAsync<BlobDamagedException>(async () => await content.ReadAsync(0, new byte[500]));
        Assert.Empty(_store.List());
        Assert.Equal(0, _store.UsedBytes);
        Assert.Empty((await _store.CheckAsync(repair: false)).Findings);
    }

    [Theory]
    [InlineData(0)] // a bit of the magic
    [InlineData(20)] // of the checksum
    [InlineData(-1)] // of the ranges
    [InlineData(-100)] // gone
    public async Task A_damaged_record_costs_hashing_and_nothing_else(int where)
    {
        var blob = new TestBlob(10, 300 * Group);
        await using (IBlobWriter writer = _store.OpenWriter(blob.Hash))
        {
            await blob.WriteGroupsAsync(writer, 17, 40);
            await blob.WriteGroupsAsync(writer, 250, 7);
        }

        await _store.DisposeAsync();
        string record = Files.Record(blob.Hash);
        if (where == -100)
            File.WriteAllText(record, "");
        else
            Flip(record, where < 0 ? (int)new FileInfo(record).Length + where : where);
        _store = DiskBlobStore.Open(_folder, _options);
        Assert.Equal(47 * Group, _store.GetStatus(blob.Hash).PresentBytes);
        Assert.Empty((await _store.CheckAsync(repair: false)).Findings);
    }

    [Fact]
    public async Task A_record_that_lies_is_found_out()
    {
        var blob = new TestBlob(11, 300 * Group);
        await using (IBlobWriter writer = _store.OpenWriter(blob.Hash))
            await blob.WriteGroupsAsync(writer, 0, 10);
        await _store.DisposeAsync();
        File.WriteAllBytes(Files.Record(blob.Hash), PartialRecord.Write(300 * Group, ChunkRanges.FromChunks(0, 320), isClean: true));
        _store = DiskBlobStore.Open(_folder, _options);
        using (IBlobContent content = _store.TryOpen(blob.Hash)!)
            await Assert.ThrowsAsync<BlobDamagedException>(async () => await content.ReadGroupsAsync(10 * Group, new byte[Group]));
        CheckReport report = await _store.CheckAsync(repair: true);
        Assert.Equal((StoreProblem.WrongBitfield, blob.Hash, true), report.Findings.Select(found => (found.Problem, found.Hash!.Value, found.IsRepaired)).Single());
        Assert.Equal(10 * Group, _store.GetStatus(blob.Hash).PresentBytes);
        Assert.Empty((await _store.CheckAsync(repair: false)).Findings);
    }

    [Fact]
    public async Task A_check_finds_what_is_wrong_and_repairs_it_when_asked()
    {
        TestBlob wrong = new(12, 50 * Group), gone = new(13, 50 * Group), good = new(14, 50 * Group), outboard = new(15, 300 * Group);
        foreach (TestBlob blob in (TestBlob[])[wrong, gone, good, outboard])
            (await _store.AddBytesAsync(blob.Content)).Dispose();
        string source = Path.Combine(_folder, "source");
        var referred = new TestBlob(16, 20 * Group);
        File.WriteAllBytes(source, referred.Content);
        (await _store.AddFileAsync(source, ImportMode.Reference)).Dispose();
        File.SetLastWriteTimeUtc(source, DateTime.UnixEpoch);
        Flip(Files.Data(wrong.Hash), 5 * Group);
        File.Delete(Files.Data(gone.Hash));
        Flip(Files.Outboard(outboard.Hash), 3);
        string orphan = Path.Combine(_folder, "data", "ab", new string('a', 64) + ".data");
        Directory.CreateDirectory(Path.GetDirectoryName(orphan)!);
        File.WriteAllText(orphan, "");
        Directory.CreateDirectory(Files.Folder(referred.Hash));
        File.WriteAllText(Files.Data(referred.Hash), "left by a move");

        CheckReport found = await _store.CheckAsync(repair: false);
        (StoreProblem, BlobHash?)[] expected =
        [
            (StoreProblem.OrphanFile, null), (StoreProblem.OrphanFile, null), (StoreProblem.WrongContent, wrong.Hash), (StoreProblem.MissingContent, gone.Hash),
            (StoreProblem.WrongOutboard, outboard.Hash), (StoreProblem.ChangedReference, referred.Hash),
        ];
        Assert.Equal(expected.OrderBy(item => item.Item1), found.Findings.Select(item => (item.Problem, item.Hash)).OrderBy(item => item.Problem));
        Assert.False(found.IsSound);
        Assert.True(File.Exists(orphan));
        CheckReport repaired = await _store.CheckAsync(repair: true);
        Assert.Equal(6, repaired.Findings.Count);
        Assert.True(repaired.IsSound);
        Assert.Empty((await _store.CheckAsync(repair: false)).Findings);
        await AssertSoundAsync(good);
        await AssertSoundAsync(outboard);
        Assert.Equal(49 * Group, _store.GetStatus(wrong.Hash).PresentBytes);
        Assert.True(File.Exists(source));
    }

    [Fact]
    public async Task A_damaged_index_is_refused_and_without_it_files_are_found_again()
    {
        TestBlob middle = new(17, 100_000), large = new(18, 6_000_000), partial = new(19, 300 * Group);
        foreach (TestBlob blob in (TestBlob[])[middle, large])
            (await _store.AddBytesAsync(blob.Content)).Dispose();
        await using (IBlobWriter writer = _store.OpenWriter(partial.Hash))
            await partial.WriteGroupsAsync(writer, 5, 5);
        await _store.DisposeAsync();
        byte[] index = File.ReadAllBytes(Files.Index);
        File.WriteAllBytes(Files.Index, [.. new byte[4096], .. index[4096..]]);
        BlobStoreException refused = Assert.Throws<BlobStoreException>(() => DiskBlobStore.Open(_folder, _options));
        Assert.Contains("is damaged", refused.Message, StringComparison.Ordinal);
        File.Delete(Files.Index);
        _store = DiskBlobStore.Open(_folder, _options);
        await AssertSoundAsync(middle);
        await AssertSoundAsync(large);
        Assert.Equal(5 * Group, _store.GetStatus(partial.Hash).PresentBytes);
    }

    [Fact]
    public async Task A_store_has_one_owner()
    {
        BlobStoreInUseException refused = Assert.Throws<BlobStoreInUseException>(() => DiskBlobStore.Open(_folder, _options));
        Assert.Equal(Environment.ProcessId, refused.ProcessId);
        await ReopenAsync();
    }

    [Fact]
    public async Task The_file_of_a_complete_blob_can_be_read_by_others_and_written_by_none()
    {
        TestBlob large = new(23, 100_000), small = new(24, 100), partial = new(25, 100_000);
        using TempTag tag = await _store.AddBytesAsync(large.Content), smallTag = await _store.AddBytesAsync(small.Content);
        await using IBlobWriter writer = _store.OpenWriter(partial.Hash);
        await partial.WriteGroupsAsync(writer, 0, 1);
        string path = _store.TryGetPath(large.Hash)!;
        Assert.Equal(large.Content, File.ReadAllBytes(path));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.GroupRead, File.GetUnixFileMode(path));
        Assert.Null(_store.TryGetPath(small.Hash));
        Assert.Null(_store.TryGetPath(partial.Hash));
        await partial.WriteAllAsync(writer);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.GroupRead, File.GetUnixFileMode(_store.TryGetPath(partial.Hash)!));
        Flip(path, 20_000);
        Assert.False((await _store.CheckAsync(repair: true)).Findings.Single().Hash == partial.Hash);
        Assert.Null(_store.TryGetPath(large.Hash));
        await using IBlobWriter again = _store.OpenWriter(large.Hash);
        await large.WriteGroupsAsync(again, 1, 1);
        await AssertSoundAsync(large);
    }

    [Fact]
    public async Task What_is_moved_out_is_read_from_there_and_never_deleted()
    {
        var blob = new TestBlob(20, 3_000_000);
        (await _store.AddBytesAsync(blob.Content)).Dispose();
        string path = Path.Combine(_folder, "out");
        await _store.ExportAsync(blob.Hash, path, ExportMode.Reference);
        Assert.False(File.Exists(Files.Data(blob.Hash)));
        await ReopenAsync();
        await AssertSoundAsync(blob);
        Assert.Equal(1, (await _store.CollectGarbageAsync()).RemovedBlobs);
        Assert.Equal(blob.Content, File.ReadAllBytes(path));
    }

    [Fact]
    public async Task A_full_disk_stops_what_is_new_and_harms_nothing_else()
    {
        using SmallDisk? disk = SmallDisk.TryMount(8);
        Assert.SkipWhen(disk is null, "a small disk needs root");
        TestBlob kept = new(21, 2_000_000), download = new(22, 20_000_000);
        string folder = Path.Combine(disk.Root, "store"), filler = Path.Combine(disk.Root, "filler");
        File.WriteAllBytes(filler, new byte[1 << 20]);
        await using (DiskBlobStore store = DiskBlobStore.Open(folder))
        {
            using TempTag tag = await store.AddBytesAsync(kept.Content);
            await Assert.ThrowsAsync<StoreFullException>(async () => await store.AddBytesAsync(TestBlob.Bytes(1, 20_000_000)));
            await Assert.ThrowsAsync<StoreFullException>(() => store.AddStreamAsync(new MemoryStream(TestBlob.Bytes(1, 20_000_000))));
            await using IBlobWriter writer = store.OpenWriter(download.Hash);
            int written = 0;
            await Assert.ThrowsAsync<StoreFullException>(async () =>
            {
                for (; written < download.GroupCount; written++)
                    await download.WriteGroupsAsync(writer, written, 1);
            });
            Assert.True(written > 100, $"{written} groups found room");
            using IBlobContent content = store.TryOpen(download.Hash)!;
            Assert.True(content.Provable.Contains(ChunkRanges.FromChunks(0, (ulong)written * 16)));
        }

        File.Delete(filler);
        await using DiskBlobStore again = DiskBlobStore.Open(folder);
        Assert.True(again.GetStatus(kept.Hash).IsComplete);
        Assert.True(again.GetStatus(download.Hash).PresentBytes > 100 * Group);
        Assert.Empty((await again.CheckAsync(repair: false)).Findings);
        Assert.True(again.Delete(download.Hash));
        using TempTag fits = await again.AddBytesAsync(TestBlob.Bytes(2, 3_000_000));
    }

    [Fact]
    public void Any_record_is_read_or_refused()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        byte[] good = PartialRecord.Write(1 << 30, ChunkRanges.FromChunks(3, 77).Union(ChunkRanges.FromChunks(1000, 1 << 20)), isClean: true);
        Assert.NotNull(PartialRecord.TryRead(good));
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bad = good[..random.Next(good.Length + 1)];
            bool changed = bad.Length < good.Length;
            for (int flips = random.Next(1, 4); flips > 0 && bad.Length > 0; flips--)
                bad[random.Next(bad.Length)] ^= (byte)(1 << random.Next(8));
            if (PartialRecord.TryRead(bad) is { } read)
                Assert.True(!changed && read.Bitfield.Present.Contains(3), $"seed {seed}");
        }

        // With a right checksum over anything.
        for (int i = 0; i < 20_000; i++)
        {
            var body = new byte[random.Next(40)];
            random.NextBytes(body);
            byte[] record = [.. good[..9], .. BlobHash.Of(body).ToArray(), .. body];
            if (PartialRecord.TryRead(record) is { } read)
                Assert.True(read.Bitfield.Size > 0, $"seed {seed}");
        }
    }

    private static void Flip(string path, long offset)
    {
        using FileStream file = File.Open(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        file.Position = offset;
        int value = file.ReadByte();
        file.Position = offset;
        file.WriteByte((byte)(value ^ 4));
    }

    private async Task AssertSoundAsync(TestBlob blob)
    {
        Assert.True(_store.GetStatus(blob.Hash).IsComplete);
        using IBlobContent content = _store.TryOpen(blob.Hash)!;
        Assert.True(await blob.MatchesAsync(content));
    }

    private async Task ReopenAsync()
    {
        await _store.DisposeAsync();
        _store = DiskBlobStore.Open(_folder, _options);
    }

    private async Task ChangeIndexAsync(string statement)
    {
        await _store.DisposeAsync();
        using (var connection = new SqliteConnection($"Data Source={Files.Index};Pooling=False"))
        {
            connection.Open();
            using SqliteCommand command = connection.CreateCommand();
            command.CommandText = statement;
            Assert.True(command.ExecuteNonQuery() > 0);
        }

        _store = DiskBlobStore.Open(_folder, _options);
    }
}
