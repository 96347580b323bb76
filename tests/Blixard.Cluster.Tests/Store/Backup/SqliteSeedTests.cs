using Blixard.Cluster.Store;
using Blixard.Cluster.Store.Backup;
using Iroh.Cryptography;

namespace Blixard.Cluster.Tests.Store.Backup;

public sealed class SqliteSeedTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("blixard-seed-").FullName;

    private string SeedPath => Path.Combine(_folder, "store.db");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_seeded_store_has_the_keys_with_their_revisions_and_goes_on_after_its_own()
    {
        CancellationToken token = TestContext.Current.CancellationToken;
        StoreEntry[] entries = [new("/a", "1"u8.ToArray(), 3, 7, 2), new("/b", ReadOnlyMemory<byte>.Empty, 5, 5, 1)];
        SqliteSeed.Write(SeedPath, entries, 100, token);
        Assert.Equal([SeedPath], Directory.GetFiles(_folder));

        await using SqliteStore store = Open();
        StoreRange range = await store.RangeAsync("", token);
        Assert.Equal(100, range.Revision);
        Assert.Equal(entries.Select(Describe), range.Entries.Select(Describe));
        await Assert.ThrowsAsync<StoreCompactedException>(async () => await store.WatchAsync("", 100, token).GetAsyncEnumerator(token).MoveNextAsync());

        StoreCommit commit = await store.TransactAsync(
            new StoreTransaction([new StoreComparison.ModRevision("/a", 7)], [new StoreOperation.Put("/a", "2"u8.ToArray())]), token);
        Assert.Equal((true, 101L), (commit.Succeeded, commit.Revision));
        await foreach (StoreChanges step in store.WatchAsync("", 101, token))
        {
            Assert.Equal("/a = 2, created 3, written 101, version 3", Describe(Assert.Single(step.Changes).Entry!));
            break;
        }
    }

    [Fact]
    public void A_file_that_is_there_stays()
    {
        File.WriteAllText(SeedPath, "mine");
        Assert.Throws<IOException>(() => SqliteSeed.Write(SeedPath, [], 1, TestContext.Current.CancellationToken));
        Assert.Equal("mine", File.ReadAllText(SeedPath));
    }

    [Fact]
    public async Task The_history_of_a_store_is_what_its_watchers_would_see()
    {
        CancellationToken token = TestContext.Current.CancellationToken;
        await using SqliteStore store = Open();
        Assert.Equal((0L, 1L), await SpanAsync(store, token));
        for (int i = 1; i <= 25; i++)
            await store.TransactAsync(new StoreTransaction([], [new StoreOperation.Put($"/{i % 3}", "x"u8.ToArray())]), token);

        StoreHistory history = await StoreHistory.OpenAsync(store, token);
        List<StoreChanges> changes = await history.Changes.ToListAsync(token);
        Assert.Equal(25, history.Revision);
        Assert.True(history.OldestRevision > 1, "the store keeps ten revisions");
        Assert.Equal(history.OldestRevision, changes[0].Revision);
        Assert.Equal(Enumerable.Range((int)history.OldestRevision, changes.Count), changes.Select(step => (int)step.Revision));
        Assert.Equal(25, changes[^1].Revision);
    }

    [Fact]
    public async Task A_store_without_any_kept_change_has_an_empty_history()
    {
        SqliteSeed.Write(SeedPath, [new("/a", "1"u8.ToArray(), 3, 7, 2)], 100, TestContext.Current.CancellationToken);
        await using SqliteStore store = Open();
        Assert.Equal((100L, 101L), await SpanAsync(store, TestContext.Current.CancellationToken));
    }

    private static async Task<(long Revision, long Oldest)> SpanAsync(SqliteStore store, CancellationToken token)
    {
        StoreHistory history = await StoreHistory.OpenAsync(store, token);
        Assert.Empty(await history.Changes.ToListAsync(token));
        return (history.Revision, history.OldestRevision);
    }

    private static string Describe(StoreEntry entry) =>
        $"{entry.Key} = {System.Text.Encoding.UTF8.GetString(entry.Value.Span)}, created {entry.CreateRevision}, written {entry.ModRevision}, version {entry.Version}";

    private SqliteStore Open() => SqliteStore.Open(SeedPath, TimeProvider.System, OperatingSystemRandomSource.Instance, historyRevisionsMax: 10);
}
