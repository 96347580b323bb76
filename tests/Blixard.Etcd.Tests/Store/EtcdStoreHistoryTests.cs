using Blixard.Cluster.Store;
using Blixard.Etcd.Store;
using Blixard.Etcd.Tests.Support;
using Iroh.Cryptography;

namespace Blixard.Etcd.Tests.Store;

/// <summary>Revisions, compaction and sizes, with a real etcd.</summary>
public sealed class EtcdStoreHistoryTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_same_writes_have_the_same_revisions_as_in_a_single_servers_store()
    {
        const ulong seed = 7;
        string folder = Directory.CreateTempSubdirectory("blixard-etcd-").FullName;
        try
        {
            await using EtcdCluster etcd = await EtcdCluster.StartAsync();
            await using EtcdStore store = etcd.Store();
            await using SqliteStore single = SqliteStore.Open(Path.Combine(folder, "store.db"), TimeProvider.System, OperatingSystemRandomSource.Instance);
            var random = new SeededRandomSource(seed);
            for (int step = 0; step < 150; step++)
            {
                StoreTransaction transaction = Draw(random);
                StoreCommit expected = await single.TransactAsync(transaction, Cancel);
                StoreCommit commit = await store.TransactAsync(transaction, Cancel);
                Assert.True((expected.Succeeded, expected.Revision) == (commit.Succeeded, commit.Revision), $"seed {seed}, step {step}: {expected}, {commit}");
                Assert.Equal(expected.Current.Select(Show), commit.Current.Select(Show));
            }

            StoreRange all = await single.RangeAsync("", Cancel);
            StoreRange same = await store.RangeAsync("", Cancel);
            Assert.Equal(all.Revision, same.Revision);
            Assert.Equal(all.Entries.Select(Show), same.Entries.Select(Show));
            Assert.Equal(await WatchedAsync(single, all.Revision), await WatchedAsync(store, all.Revision));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_watch_cannot_begin_where_etcd_may_have_forgotten_a_deletion()
    {
        await using EtcdCluster etcd = await EtcdCluster.StartAsync();
        await using EtcdStore store = etcd.Store();
        await PutAsync(store, "a", 1);
        long deleted = (await store.TransactAsync(new([], [new StoreOperation.Delete("a")]), Cancel)).Revision;
        await PutAsync(store, "b", 1);
        await etcd.Client().CompactAsync(EtcdRevision.ToEtcd(deleted), null, Cancel);
        StoreCompactedException e = await Assert.ThrowsAsync<StoreCompactedException>(() => WatchedAsync(store, deleted, deleted));
        Assert.Equal(deleted + 1, e.OldestRevision);
        Assert.Single(await WatchedAsync(store, deleted + 1, e.OldestRevision));
    }

    [Fact]
    public async Task Only_what_is_old_is_compacted_and_only_once()
    {
        await using EtcdCluster etcd = await EtcdCluster.StartAsync();
        await using EtcdStore store = etcd.Store();
        var compactor = new EtcdCompactor(etcd.Client(), TimeProvider.System, historyRevisionsMax: 10, step: 5);
        for (int i = 0; i < 10; i++)
            await PutAsync(store, "k", i);
        Assert.False(await compactor.CompactAsync(Cancel));
        long newest = 0;
        for (int i = 0; i < 10; i++)
            newest = await PutAsync(store, "k", i);
        Assert.True(await compactor.CompactAsync(Cancel));
        Assert.False(await compactor.CompactAsync(Cancel));
        Assert.True(await new EtcdCompactor(etcd.Client(), TimeProvider.System, historyRevisionsMax: 10, step: 5).CompactAsync(Cancel));
        Assert.Equal(10, (await WatchedAsync(store, newest, newest - 9)).Count);
        Assert.Equal(newest - 9, (await Assert.ThrowsAsync<StoreCompactedException>(() => WatchedAsync(store, newest, newest - 10))).OldestRevision);
    }

    [Fact]
    public async Task A_range_is_read_whole_whatever_the_sizes_of_its_values()
    {
        await using EtcdCluster etcd = await EtcdCluster.StartAsync();
        await using EtcdStore store = etcd.Store();
        const int small = 300;
        for (int i = 0; i < small; i += 100)
            await store.TransactAsync(new([], [.. Enumerable.Range(i, 100).Select(k => new StoreOperation.Put($"a{k:D5}", new byte[10]))]), Cancel);
        const int large = 14;
        for (int i = 0; i < large; i++)
            await store.TransactAsync(new([], [new StoreOperation.Put($"b{i:D5}", new byte[StoreLimits.ValueBytesMax])]), Cancel);
        StoreRange range = await store.RangeAsync("", Cancel);
        Assert.Equal(small + large, range.Entries.Count);
        Assert.Equal(range.Entries.Select(entry => entry.Key).Order(StringComparer.Ordinal), range.Entries.Select(entry => entry.Key));
        Assert.Equal((small / 100) + large, range.Revision);
        Assert.Equal(large, (await store.Replica.RangeAsync("b", Cancel)).Entries.Count);
    }

    [Fact]
    public async Task The_largest_transactions_are_taken_and_watched_whole()
    {
        await using EtcdCluster etcd = await EtcdCluster.StartAsync();
        await using EtcdStore store = etcd.Store();
        const int transactions = 6;
        for (int i = 0; i < transactions; i++)
        {
            StoreOperation[] operations = [.. Enumerable.Range(0, StoreLimits.TransactionItemsMax).Select(k => new StoreOperation.Put($"{k:D3}", new byte[12_000]))];
            Assert.Equal(i + 1, (await store.TransactAsync(new([], operations), Cancel)).Revision);
        }

        IReadOnlyList<string> seen = await WatchedAsync(store, transactions);
        Assert.Equal(transactions, seen.Count);
        Assert.All(seen, revision => Assert.Equal(StoreLimits.TransactionItemsMax, revision.Split(' ').Length - 1));
    }

    [Fact]
    public async Task A_transaction_that_fails_shows_all_compared_keys_even_if_they_exceed_one_message()
    {
        await using EtcdCluster etcd = await EtcdCluster.StartAsync();
        await using EtcdStore store = etcd.Store();
        const int keys = 12;
        for (int i = 0; i < keys; i++)
            await store.TransactAsync(new([], [new StoreOperation.Put($"{i:D2}", new byte[StoreLimits.ValueBytesMax])]), Cancel);
        StoreComparison[] comparisons = [.. Enumerable.Range(0, keys).Select(i => new StoreComparison.Present($"{i:D2}")), new StoreComparison.Present("none")];
        StoreCommit commit = await store.TransactAsync(new(comparisons, [new StoreOperation.Put("x", new byte[1])]), Cancel);
        Assert.False(commit.Succeeded);
        Assert.Equal(keys, commit.Current.Count);
        Assert.All(commit.Current, entry => Assert.Equal(StoreLimits.ValueBytesMax, entry.Value.Length));
    }

    [Fact]
    public async Task Revisions_that_no_write_can_have_compare_with_nothing()
    {
        await using EtcdCluster etcd = await EtcdCluster.StartAsync();
        await using EtcdStore store = etcd.Store();
        await PutAsync(store, "a", 1);
        foreach (string key in new[] { "a", "none" })
            foreach (long revision in new[] { long.MinValue, -1, 0, long.MaxValue })
                Assert.False((await store.TransactAsync(new([new StoreComparison.ModRevision(key, revision)], []), Cancel)).Succeeded);
    }

    private static async Task<long> PutAsync(EtcdStore store, string key, int value) =>
        (await store.TransactAsync(new([], [new StoreOperation.Put(key, new byte[] { (byte)value })]), Cancel)).Revision;

    private static StoreTransaction Draw(SeededRandomSource random)
    {
        string Key() => $"k{random.NextBelow(5)}";
        StoreComparison comparison = random.NextBelow(5) switch
        {
            0 => new StoreComparison.Absent(Key()),
            1 => new StoreComparison.ModRevision(Key(), (long)random.NextBelow(60)),
            2 => new StoreComparison.ValueIs(Key(), new byte[] { (byte)random.NextBelow(4) }),
            _ => new StoreComparison.Present(Key()),
        };
        StoreOperation[] operations = [.. Enumerable.Range(0, (int)random.NextBelow(4)).Select(_ => Key()).Distinct().Select(
            key => random.NextBelow(3) == 0 ? (StoreOperation)new StoreOperation.Delete(key) : new StoreOperation.Put(key, new byte[] { (byte)random.NextBelow(4) }))];
        return new StoreTransaction(random.NextBelow(2) == 0 ? [] : [comparison], operations);
    }

    private static string Show(StoreEntry entry) =>
        $"{entry.Key}={Convert.ToHexString(entry.Value.Span)} {entry.CreateRevision} {entry.ModRevision} {entry.Version} {entry.Lease}";

    private static async Task<IReadOnlyList<string>> WatchedAsync(IClusterStore store, long until, long from = 1)
    {
        var seen = new List<string>();
        await foreach (StoreChanges changes in store.WatchAsync("", from, Cancel))
        {
            seen.Add($"{changes.Revision}: {string.Join(' ', changes.Changes.Select(change => change.Entry is { Value.Length: < 10 } entry ? Show(entry).Replace(' ', ',') : change.Key))}");
            if (changes.Revision >= until)
                break;
        }

        return seen;
    }
}
