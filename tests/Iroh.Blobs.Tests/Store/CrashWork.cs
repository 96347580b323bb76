using Iroh.Blobs.Ranges;
using Iroh.Blobs.Store;

namespace Iroh.Blobs.Tests.Store;

/// <summary>Imports, downloads and collections that run side by side until the store dies, and what must be true of it afterwards.</summary>
public static class CrashWork
{
    private static readonly int[] s_lengths = [100, 16_384, 16_385, 50_000, 300_000];

    public static BlobStoreOptions Options { get; } = new() { FlushesToDisk = false, CheckpointBytes = 1 << 20 };

    public static Task RunAsync(IBlobStore store, int seed, CrashJournal journal) => Task.WhenAll(
        Task.Run(() => ImportAsync(store, seed, journal)),
        Task.Run(() => DownloadAsync(store, seed, journal)),
        Task.Run(() => CollectAsync(store, seed)));

    /// <summary>Nothing acknowledged is missing, nothing that is here is wrong, and downloads go on.</summary>
    public static async Task VerifyAsync(IBlobStore store, CrashJournal journal, string what)
    {
        CheckReport report = await store.CheckAsync(repair: false);
        Assert.True(report.Findings.Count == 0, $"{what}: {string.Join("; ", report.Findings)}");
        foreach ((string name, int seed, int length) in journal.Tagged)
        {
            var blob = TestBlob.Get(seed, length);
            Assert.True(store.TryGetTag(name)?.Content.Hash == blob.Hash, $"{what}: tag {name}");
            if (journal.Downloads.Any(download => download.Seed == seed))
                continue;
            using IBlobContent content = store.TryOpen(blob.Hash) ?? throw new InvalidOperationException($"{what}: {name} is gone");
            Assert.True(await blob.MatchesAsync(content), $"{what}: content of {name}");
        }

        int written = 0, missing = 0;
        foreach ((int seed, int length, int[] groups) in journal.Downloads)
        {
            var blob = TestBlob.Get(seed, length);
            using IBlobContent? content = store.TryOpen(blob.Hash);
            ChunkRanges provable = content?.Provable ?? ChunkRanges.Empty;
            written += groups.Length;
            missing += groups.Count(group => !provable.Contains((ulong)group * 16));
            await using IBlobWriter writer = store.OpenWriter(blob.Hash);
            await blob.WriteAllAsync(writer);
            using IBlobContent whole = store.TryOpen(blob.Hash)!;
            Assert.True(await blob.MatchesAsync(whole), $"{what}: content of download {seed}");
        }

        Assert.True(missing * 100 <= written, $"{what}: {missing} of {written} groups are missing");
    }

    private static async Task ImportAsync(IBlobStore store, int seed, CrashJournal journal)
    {
        for (int i = 0; i < s_lengths.Length; i++)
        {
            (int blobSeed, int length, string name) = ((seed * 100) + i, s_lengths[i], $"import-{seed}-{i}");
            byte[] content = TestBlob.Get(blobSeed, length).Content;
            using (TempTag tag = i % 2 == 0 ? await store.AddBytesAsync(content) : await store.AddStreamAsync(new MemoryStream(content)))
                store.SetTag(name, tag.Content);
            journal.AddTagged(name, blobSeed, length);
            if (i == 1 || i == 3)
            {
                journal.Doom(name);
                store.DeleteTag(name);
            }
        }
    }

    private static async Task DownloadAsync(IBlobStore store, int seed, CrashJournal journal)
    {
        foreach ((int blobSeed, int groups, int wanted) in Plan(seed))
        {
            var blob = TestBlob.Get(blobSeed, (groups * 16 * 1024) - 5);
            string name = $"download-{blobSeed}";
            store.SetTag(name, HashAndFormat.Raw(blob.Hash));
            await using IBlobWriter writer = store.OpenWriter(blob.Hash);
            for (int i = 0; i < wanted; i++)
            {
                int group = ((i * 7) + seed) % groups;
                await blob.WriteGroupsAsync(writer, group, 1);
                journal.Wrote(blobSeed, blob.Content.Length, group);
            }
        }
    }

    private static (int Seed, int Groups, int Wanted)[] Plan(int seed) =>
        [((seed * 100) + 50, 11, 11), ((seed * 100) + 51, 80, 60), ((seed * 100) + 52, 30, 30), ((seed * 100) + 53, 1, 1)];

    private static async Task CollectAsync(IBlobStore store, int seed)
    {
        for (int i = 0; i < 6; i++)
        {
            (await store.AddBytesAsync(TestBlob.Get((seed * 100) + 70 + i, i % 2 == 0 ? 1000 : 100_000).Content)).Dispose();
            await store.CollectGarbageAsync();
        }
    }
}
