using System.Diagnostics;
using System.Globalization;
using Iroh.Blobs;
using Iroh.Blobs.Bao;
using Iroh.Blobs.Store;

namespace BlobsBench;

/// <summary>Measures the store on a disk: imports, verified reads, and writing as a download does it.</summary>
internal static class Storing
{
    private const int Group = BaoTree.GroupLength;

    /// <param name="folder">Where; a folder is made in it and removed again.</param>
    /// <param name="mebibytes">The size of the blob.</param>
    public static async Task<int> RunAsync(string folder, int mebibytes)
    {
        string root = Directory.CreateDirectory(Path.Combine(Path.GetFullPath(folder), $"blobs-bench-{Environment.ProcessId}")).FullName;
        try
        {
            var content = new byte[mebibytes << 20];
            new Random(1).NextBytes(content);
            string source = Path.Combine(root, "source");
            await File.WriteAllBytesAsync(source, content);
            BlobHash hash = OutboardBuilder.Build(content, out byte[] outboard);
            Console.WriteLine($"| {mebibytes} MiB, {folder} | MiB/s |\n|---|---:|");
            await MeasureAsync(root, "import by copy, flushed", true, store => store.AddFileAsync(source), mebibytes);
            await MeasureAsync(root, "import by copy, not flushed", false, store => store.AddFileAsync(source), mebibytes);
            await MeasureAsync(root, "import by reference", true, store => store.AddFileAsync(source, ImportMode.Reference), mebibytes);
            foreach (int run in (int[])[1, 16])
            {
                foreach (bool flush in (bool[])[true, false])
                {
                    string what = $"writer, {run * Group / 1024} KiB at a time{(flush ? ", flushed" : "")}";
                    await MeasureAsync(root, what, flush, store => WriteAsync(store, hash, content, outboard, run), mebibytes);
                }
            }

            await using DiskBlobStore read = DiskBlobStore.Open(Path.Combine(root, "store"));
            using TempTag tag = await read.AddFileAsync(source);
            foreach (int length in (int[])[Group, 16 * Group, 64 * Group])
                Print($"verified read, {length / 1024} KiB at a time", mebibytes, await ReadAsync(read, hash, length));
            await PrintSmallAsync(root);
            return 0;
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private static async Task MeasureAsync(string root, string what, bool flush, Func<DiskBlobStore, Task<TempTag>> run, int mebibytes)
    {
        string folder = Path.Combine(root, "store");
        await using (DiskBlobStore store = DiskBlobStore.Open(folder, new BlobStoreOptions { FlushesToDisk = flush }))
        {
            var clock = Stopwatch.StartNew();
            using TempTag tag = await run(store);
            Print(what, mebibytes, clock.Elapsed);
        }

        Directory.Delete(folder, recursive: true);
    }

    private static async Task<TempTag> WriteAsync(DiskBlobStore store, BlobHash hash, byte[] content, byte[] outboard, int groups)
    {
        ulong size = (ulong)content.Length;
        await using IBlobWriter writer = store.OpenWriter(hash);
        int length = groups * Group, next = 0;
        for (int offset = 0; offset < content.Length; offset += length)
        {
            // Pairs in the order of the outboard, about one for each group; the last run brings the rest.
            int end = Math.Min(content.Length, offset + length);
            int pairs = Math.Min(outboard.Length, ((end / Group) + 40) * BaoTree.PairLength);
            for (; next < pairs; next += BaoTree.PairLength)
                await writer.WritePairAsync(size, next, outboard.AsMemory(next, BaoTree.PairLength));
            await writer.WriteLeafAsync(size, offset, content.AsMemory(offset..end));
        }

        await writer.Completed;
        return store.Hold(HashAndFormat.Raw(hash));
    }

    private static async Task<TimeSpan> ReadAsync(DiskBlobStore store, BlobHash hash, int length)
    {
        using IBlobContent content = store.TryOpen(hash)!;
        var buffer = new byte[length];
        var clock = Stopwatch.StartNew();
        for (long offset = 0; offset < content.Size;)
            offset += await content.ReadGroupsAsync(offset, buffer);
        return clock.Elapsed;
    }

    private static async Task PrintSmallAsync(string root)
    {
        const int count = 2000, together = 64;
        await using DiskBlobStore store = DiskBlobStore.Open(Path.Combine(root, "small"));
        var clock = Stopwatch.StartNew();
        await Parallel.ForEachAsync(
            Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = together },
            async (i, cancellation) => (await store.AddBytesAsync(BitConverter.GetBytes(i), cancellationToken: cancellation)).Dispose());
        double adds = count / clock.Elapsed.TotalSeconds;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\n{adds:F0} small blobs a second, {together} at a time, flushed"));
    }

    private static void Print(string what, int mebibytes, TimeSpan time) =>
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {what} | {mebibytes / time.TotalSeconds:F0} |"));
}
