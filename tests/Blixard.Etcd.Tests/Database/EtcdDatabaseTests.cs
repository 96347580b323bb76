using System.Diagnostics;
using System.Text.Json;
using Blixard.Cluster.Store;
using Blixard.Cluster.Store.Backup;
using Blixard.Etcd.Database;
using OsProcess = System.Diagnostics.Process;

namespace Blixard.Etcd.Tests.Database;

/// <summary>What etcd's own tool says of the file: it checks every page and reads every row.</summary>
public sealed class EtcdDatabaseTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("blixard-etcd-database-").FullName;

    private string SnapshotPath => Path.Combine(_directory, "snapshot.db");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Etcds_tool_finds_a_random_history_sound_and_at_its_revision()
    {
        for (int seed = 0; seed < 5; seed++)
        {
            StoreHistory history = RandomHistory(new Random(seed), 1_500);
            File.Delete(SnapshotPath);
            long revision = await EtcdDatabase.WriteAsync(SnapshotPath, history, null, TestContext.Current.CancellationToken);
            Assert.True(revision == history.Revision, $"seed {seed}");
            JsonElement status = await StatusAsync();
            Assert.True(revision + 1 == status.GetProperty("revision").GetInt64(), $"seed {seed}: {status}");
        }
    }

    [Fact]
    public async Task Twenty_thousand_keys_with_values_up_to_a_mebibyte_fit()
    {
        var random = new Random(7);
        List<StoreEntry> entries = [];
        for (int i = 0; i < 20_000; i++)
        {
            byte[] value = new byte[i % 1_000 == 0 ? StoreLimits.ValueBytesMax : random.Next(600)];
            random.NextBytes(value);
            entries.Add(new StoreEntry($"/big/{i:D6}", value, i + 1, i + 1, 1));
        }

        await EtcdDatabase.WriteAsync(SnapshotPath, StoreHistory.WithoutChanges(entries, 20_000), null, TestContext.Current.CancellationToken);
        JsonElement status = await StatusAsync();
        Assert.Equal(20_001, status.GetProperty("revision").GetInt64());
        // The keys, and three rows of the bucket meta.
        Assert.Equal(20_003, status.GetProperty("totalKey").GetInt64());
    }

    [Fact]
    public async Task Keys_with_a_lease_are_deleted_in_one_revision_of_their_own()
    {
        StoreEntry[] entries = [new("/a", "1"u8.ToArray(), 1, 1, 1), new("/alive/x", "2"u8.ToArray(), 2, 2, 1, 77), new("/alive/y", "3"u8.ToArray(), 2, 2, 1, 77)];
        long revision = await EtcdDatabase.WriteAsync(
            SnapshotPath, StoreHistory.WithoutChanges(entries, 5), null, TestContext.Current.CancellationToken);
        Assert.Equal(6, revision);
        Assert.Equal(7, (await StatusAsync()).GetProperty("revision").GetInt64());
    }

    [Fact]
    public async Task A_file_that_is_there_is_not_overwritten()
    {
        await File.WriteAllTextAsync(SnapshotPath, "mine", TestContext.Current.CancellationToken);
        await Assert.ThrowsAsync<IOException>(async () => await EtcdDatabase.WriteAsync(
            SnapshotPath, StoreHistory.WithoutChanges([], 0), null, TestContext.Current.CancellationToken));
        Assert.Equal("mine", await File.ReadAllTextAsync(SnapshotPath, TestContext.Current.CancellationToken));
    }

    // The hash at the end is the tool's other command's; status wants the bare database.
    private async Task<JsonElement> StatusAsync()
    {
        string database = Path.Combine(_directory, "database");
        await using (FileStream source = File.OpenRead(SnapshotPath))
        await using (FileStream copy = File.Create(database))
        {
            await source.CopyToAsync(copy, TestContext.Current.CancellationToken);
            copy.SetLength(copy.Length - 32);
        }

        using OsProcess process = OsProcess.Start(new ProcessStartInfo("etcdctl")
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
            Environment = { ["ETCDCTL_API"] = "3" },
            ArgumentList = { "snapshot", "status", database, "-w", "json" },
        })!;
        Task<string> errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, await errors);
        return JsonDocument.Parse(output).RootElement;
    }

    // A history of one change a revision, of which the older part was compacted away.
    private static StoreHistory RandomHistory(Random random, int revisions)
    {
        var state = new SortedDictionary<string, StoreEntry>(StringComparer.Ordinal);
        var changes = new List<StoreChanges>();
        for (int revision = 1; revision <= revisions; revision++)
        {
            string key = $"/key/{random.Next(200)}";
            StoreEntry? before = state.GetValueOrDefault(key);
            StoreEntry? after = null;
            if (before is not null && random.Next(3) == 0)
            {
                state.Remove(key);
            }
            else
            {
                byte[] value = new byte[random.Next(50) == 0 ? random.Next(20_000) : random.Next(100)];
                random.NextBytes(value);
                state[key] = after = new StoreEntry(key, value, before?.CreateRevision ?? revision, revision, (before?.Version ?? 0) + 1);
            }

            changes.Add(new StoreChanges(revision, [new StoreChange(key, after)]));
        }

        int oldest = random.Next(1, revisions);
        return new StoreHistory([.. state.Values], revisions, oldest, changes.Skip(oldest - 1).ToAsyncEnumerable());
    }
}
