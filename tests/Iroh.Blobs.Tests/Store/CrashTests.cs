using System.Diagnostics;
using System.Globalization;
using Blixard.Testing.Basics;
using Iroh.Blobs.Store;

namespace Iroh.Blobs.Tests.Store;

/// <summary>
/// Stores that die at any moment. Most deaths are made: before one change of the disk an exception is thrown, and no other change is made
/// after it, which leaves what kill -9 would leave. Some are real.
/// </summary>
public sealed class CrashTests : IDisposable
{
    private const int Points = 100;
    private const string ChildFolder = "BLOB_STORE_CRASH_FOLDER";

    private static readonly string? s_parentFolder = Environment.GetEnvironmentVariable(ChildFolder);

    private readonly string _folder = s_parentFolder ?? Directory.CreateTempSubdirectory("blob-crash-").FullName;

    public void Dispose()
    {
        if (s_parentFolder is null)
            Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_hundred_deaths_lose_nothing_and_nothing_wrong_is_served()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        (int writes, int others) = await CountStepsAsync();
        TestContext.Current.SendDiagnosticMessage($"seed {seed}: {writes} writes to files, {others} other steps");
        int deaths = 0;
        for (int point = 0; point < Points; point++)
        {
            // Most steps are writes, and most orders matter in the others: one point in four is at a write.
            bool atWrite = point % 4 == 0;
            int deadline = random.Next(atWrite ? writes : others) + 1;
            string what = $"seed {seed}, point {point}, step {deadline}";
            string folder = Path.Combine(_folder, $"{point}");
            using var journal = new CrashJournal();
            string last = await DieAsync(folder, point % 5, journal, deadline, atWrite);
            deaths += last.Length > 0 ? 1 : 0;
            await using (DiskBlobStore store = DiskBlobStore.Open(folder, CrashWork.Options))
            {
                await CrashWork.VerifyAsync(store, journal, $"{what} ({last})");
                foreach (BlobTag tag in store.ListTags())
                    store.DeleteTag(tag.Name);
                await store.CollectGarbageAsync();
                Assert.Empty(store.List());
                Assert.Equal(0, store.UsedBytes);
                Assert.Empty((await store.CheckAsync(repair: false)).Findings);
            }

            Directory.Delete(folder, recursive: true);
        }

        // The number of steps varies a little with what happens at the same time; a few points may lie behind the end.
        Assert.True(deaths > Points * 9 / 10, $"seed {seed}: {deaths} deaths");
    }

    [Fact]
    public async Task Killed_processes_lose_nothing_and_keep_others_out_while_they_live()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        string folder = Path.Combine(_folder, "real"), journalPath = Path.Combine(_folder, "journal");
        for (int kill = 0; kill < 5; kill++)
        {
            using Process child = StartChild();
            try
            {
                await WaitForJournalAsync(journalPath, child, random.Next(10, 400));
                BlobStoreInUseException refused = Assert.Throws<BlobStoreInUseException>(() => DiskBlobStore.Open(folder));
                Assert.Equal(child.Id, refused.ProcessId);
            }
            finally
            {
                child.Kill();
                await Patience.ForAsync(child.WaitForExitAsync(), "the killed process ends");
            }

            using var journal = new CrashJournal(journalPath);
            await using DiskBlobStore store = DiskBlobStore.Open(folder, CrashWork.Options);
            await CrashWork.VerifyAsync(store, journal, $"seed {seed}, kill {kill}");
        }
    }

    /// <summary>The process that is killed: started by the test above.</summary>
    [Fact(Explicit = true)]
    public async Task Works_until_it_is_killed()
    {
        Assert.NotNull(s_parentFolder);
        using var journal = new CrashJournal(Path.Combine(_folder, "journal"));
        await using DiskBlobStore store = DiskBlobStore.Open(Path.Combine(_folder, "real"), CrashWork.Options);
        int first = journal.Tagged.Count + journal.Downloads.Count;
        for (int round = first; round < first + 1000; round++)
            await CrashWork.RunAsync(store, 1000 + round, journal);
    }

    private static async Task<string> DieAsync(string folder, int seed, CrashJournal journal, int deadline, bool atWrite)
    {
        int steps = 0;
        string last = "";
        DiskBlobStore? store = null;
        try
        {
            store = DiskBlobStore.Open(folder, CrashWork.Options, step =>
            {
                if (IsWrite(step) == atWrite && Interlocked.Increment(ref steps) == deadline)
                    last = step;
                if (Volatile.Read(ref steps) >= deadline)
                    throw new DeathException();
            });
            await CrashWork.RunAsync(store, seed, journal);
        }
        catch (DeathException)
        {
        }
        finally
        {
            if (store is not null)
                await store.DisposeAsync();
        }

        return last;
    }

    private static bool IsWrite(string step) => step == "write";

    private async Task<(int Writes, int Others)> CountStepsAsync()
    {
        int writes = 0, others = 0;
        string folder = Path.Combine(_folder, "count");
        using var journal = new CrashJournal();
        await using (DiskBlobStore store = DiskBlobStore.Open(folder, CrashWork.Options, step => Interlocked.Increment(ref IsWrite(step) ? ref writes : ref others)))
            await CrashWork.RunAsync(store, 1, journal);
        await using DiskBlobStore again = DiskBlobStore.Open(folder, CrashWork.Options);
        await CrashWork.VerifyAsync(again, journal, "no death");
        return (writes, others);
    }

    private Process StartChild()
    {
        string assembly = typeof(CrashTests).Assembly.Location;
        string method = $"{typeof(CrashTests).FullName}.{nameof(Works_until_it_is_killed)}";
        var start = new ProcessStartInfo(Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet")
        {
            ArgumentList = { assembly, "-explicit", "only", "-method", method },
            Environment = { [ChildFolder] = _folder },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        Process child = Process.Start(start)!;
        child.OutputDataReceived += static (_, _) => { };
        child.ErrorDataReceived += static (_, _) => { };
        child.BeginOutputReadLine();
        child.BeginErrorReadLine();
        return child;
    }

    private static async Task WaitForJournalAsync(string path, Process child, int lines)
    {
        using var limit = new CancellationTokenSource(Patience.Limit);
        long before = File.Exists(path) ? new FileInfo(path).Length : 0;
        while (!File.Exists(path) || new FileInfo(path).Length < before + (lines * 20L))
        {
            Assert.False(child.HasExited, string.Create(CultureInfo.InvariantCulture, $"the child ended by itself ({(child.HasExited ? child.ExitCode : 0)})"));
            Assert.False(limit.IsCancellationRequested, $"the child wrote less than {lines} lines in {Patience.Limit.TotalSeconds:0} s");
            await Task.Delay(5);
        }
    }

    private sealed class DeathException : Exception;
}
