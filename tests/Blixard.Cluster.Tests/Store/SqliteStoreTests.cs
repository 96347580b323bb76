using Blixard.Cluster.Store;
using Blixard.Testing.Basics;
using Blixard.Testing.Store;
using Iroh.Cryptography;
using Microsoft.Data.Sqlite;

namespace Blixard.Cluster.Tests.Store;

public sealed class SqliteStoreTests : ClusterStoreSuite, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("blixard-store-").FullName;
    private int _created;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task What_was_committed_is_there_after_reopening()
    {
        string path = Path.Combine(_folder, "reopened.db");
        await using (SqliteStore store = Open(path))
            await PutAsync(store, "a", "1");
        await using SqliteStore again = Open(path);
        Assert.Equal("1", Text((await again.GetAsync("a", Cancel))!));
        Assert.Equal(2, await PutAsync(again, "a", "2"));
    }

    [Fact]
    public void A_file_that_is_no_store_is_refused_in_words()
    {
        string path = Path.Combine(_folder, "text.db");
        File.WriteAllText(path, new string('x', 5000));
        Assert.Contains("not a SQLite database", Assert.Throws<StoreUnavailableException>(() => Open(path)).Message);
    }

    [Fact]
    public void A_missing_folder_is_named() =>
        Assert.Contains("does not exist", Assert.Throws<StoreUnavailableException>(() => Open(Path.Combine(_folder, "no", "store.db"))).Message);

    [Fact]
    public async Task A_lease_ends_at_its_deadline_and_not_before()
    {
        var time = new ManualTimeProvider();
        await using SqliteStore store = Open(Path.Combine(_folder, "lease.db"), time: time);
        StoreLease lease = await store.GrantLeaseAsync(TimeSpan.FromSeconds(6), Cancel);
        await PutAsync(store, "a", "1", lease.Id);
        await time.UntilTimerAsync(TimeSpan.FromSeconds(6), TimeSpan.FromSeconds(6.1));
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(TimeSpan.FromSeconds(6), await store.KeepLeaseAsync(lease.Id, Cancel));
        time.Advance(TimeSpan.FromSeconds(5.9));
        await time.UntilTimerAsync(TimeSpan.Zero, TimeSpan.FromSeconds(0.2));
        Assert.NotNull(await store.GetAsync("a", Cancel));
        await using IAsyncEnumerator<StoreChanges> watch = store.WatchAsync("", 2, Cancel).GetAsyncEnumerator(Cancel);
        ValueTask<bool> ended = watch.MoveNextAsync();
        time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Null(await store.KeepLeaseAsync(lease.Id, Cancel));
        Assert.True(await ended.AsTask().WaitAsync(Patience, Cancel));
        Assert.Equal("a", Assert.Single(watch.Current.Changes).Key);
    }

    [Fact]
    public async Task A_put_whose_lease_has_just_ended_is_refused_before_its_keys_are_deleted()
    {
        var time = new StoppedTimers();
        await using SqliteStore store = Open(Path.Combine(_folder, "late.db"), time: time);
        StoreLease lease = await store.GrantLeaseAsync(TimeSpan.FromSeconds(6), Cancel);
        await PutAsync(store, "a", "1", lease.Id);
        time.Ticks += TimeSpan.FromSeconds(6).Ticks;
        await Assert.ThrowsAsync<StoreLeaseNotFoundException>(async () => await PutAsync(store, "b", "1", lease.Id));
        Assert.Null(await store.KeepLeaseAsync(lease.Id, Cancel));
        Assert.NotNull(await store.GetAsync("a", Cancel));
    }

    [Fact]
    public async Task After_reopening_a_lease_has_its_whole_time_again_and_then_ends()
    {
        string path = Path.Combine(_folder, "leases.db");
        var time = new ManualTimeProvider();
        StoreLease lease;
        await using (SqliteStore store = Open(path, time: time))
        {
            lease = await store.GrantLeaseAsync(TimeSpan.FromSeconds(6), Cancel);
            await PutAsync(store, "a", "1", lease.Id);
            time.Advance(TimeSpan.FromSeconds(5));
        }

        time.Advance(TimeSpan.FromHours(1));
        await using SqliteStore again = Open(path, time: time);
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(lease.Id, (await again.GetAsync("a", Cancel))!.Lease);
        await PutAsync(again, "b", "2", lease.Id);
        await using IAsyncEnumerator<StoreChanges> watch = again.WatchAsync("", 3, Cancel).GetAsyncEnumerator(Cancel);
        ValueTask<bool> ended = watch.MoveNextAsync();
        await time.UntilTimerAsync(TimeSpan.Zero, TimeSpan.FromSeconds(1.1));
        time.Advance(TimeSpan.FromSeconds(1.1));
        Assert.True(await ended.AsTask().WaitAsync(Patience, Cancel));
        Assert.Equal(["a", "b"], watch.Current.Changes.Select(change => change.Key));
    }

    [Fact]
    public async Task A_file_of_the_version_without_leases_is_taken_over()
    {
        string path = Path.Combine(_folder, "old.db");
        using (var old = new SqliteConnection($"Data Source={path};Pooling=False"))
        {
            old.Open();
            using SqliteCommand command = old.CreateCommand();
            command.CommandText = """
                CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
                CREATE TABLE entries (
                    key TEXT PRIMARY KEY COLLATE BINARY, value BLOB NOT NULL,
                    create_revision INTEGER NOT NULL, mod_revision INTEGER NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;
                CREATE TABLE history (
                    revision INTEGER NOT NULL, position INTEGER NOT NULL, key TEXT NOT NULL COLLATE BINARY,
                    value BLOB, create_revision INTEGER, version INTEGER, PRIMARY KEY (revision, position)) WITHOUT ROWID;
                INSERT INTO meta VALUES ('revision', 2), ('oldest', 1);
                INSERT INTO entries VALUES ('a', x'31', 1, 2, 2);
                INSERT INTO history VALUES (1, 0, 'a', x'30', 1, 1), (2, 0, 'a', x'31', 1, 2);
                """;
            command.ExecuteNonQuery();
        }

        for (int opening = 1; opening <= 2; opening++)
        {
            await using SqliteStore store = Open(path);
            StoreEntry entry = (await store.GetAsync("a", Cancel))!;
            Assert.Equal(("1", 1L, 2L, 2L, 0L), (Text(entry), entry.CreateRevision, entry.ModRevision, entry.Version, entry.Lease));
            await using IAsyncEnumerator<StoreChanges> watch = store.WatchAsync("", 1, Cancel).GetAsyncEnumerator(Cancel);
            Assert.True(await watch.MoveNextAsync());
            Assert.Equal("0", Text(watch.Current.Changes[0].Entry!));
            StoreLease lease = await store.GrantLeaseAsync(TimeSpan.FromMinutes(1), Cancel);
            Assert.Equal(2 + opening, await PutAsync(store, $"b{opening}", "1", lease.Id));
        }
    }

    [Fact]
    public async Task A_file_of_a_later_version_is_refused_in_words()
    {
        string path = Path.Combine(_folder, "later.db");
        await using (Open(path))
        {
        }

        using (var later = new SqliteConnection($"Data Source={path};Pooling=False"))
        {
            later.Open();
            using SqliteCommand command = later.CreateCommand();
            command.CommandText = "PRAGMA user_version = 99";
            command.ExecuteNonQuery();
        }

        Assert.Contains("form 99", Assert.Throws<StoreUnavailableException>(() => Open(path)).Message);
    }

    protected override Task<IClusterStore> CreateAsync() =>
        Task.FromResult<IClusterStore>(Open(Path.Combine(_folder, $"{_created++}.db"), 1_000));

    private static SqliteStore Open(string path, int historyRevisionsMax = SqliteStore.HistoryRevisionsMax, TimeProvider? time = null) =>
        SqliteStore.Open(path, time ?? TimeProvider.System, OperatingSystemRandomSource.Instance, historyRevisionsMax);

    /// <summary>A clock whose timers never fire.</summary>
    private sealed class StoppedTimers : TimeProvider
    {
        public long Ticks { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Ticks;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            System.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }
}
