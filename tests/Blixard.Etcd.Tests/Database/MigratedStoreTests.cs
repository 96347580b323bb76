using System.Text;
using Blixard.Cluster.Store;
using Blixard.Cluster.Store.Backup;
using Blixard.Etcd.Client;
using Blixard.Etcd.Database;
using Blixard.Etcd.Membership;
using Blixard.Etcd.Process;
using Blixard.Etcd.Store;
using Blixard.Etcd.Tests.Support;
using Blixard.Testing.Basics;
using Iroh.Cryptography;

namespace Blixard.Etcd.Tests.Database;

/// <summary>A SQLite store and the etcd member made of it are asked the same questions.</summary>
public sealed class MigratedStoreTests : IDisposable
{
    private static readonly string[] s_prefixes = ["", "/a/", "/b/", "/ü/", "/none/"];

    private readonly EtcdDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Every_answer_to_a_read_or_a_watch_is_the_same_after_the_migration(int seed)
    {
        using CancellationTokenSource limit = Patience.Start();
        await using SqliteStore sqlite = OpenSqlite();
        // One store with its whole history, one of which the first half is gone, one whose last revisions are all deletions.
        await FillAsync(sqlite, new Random(seed), seed == 1 ? 30 : 140, endsWithDeletions: seed == 3);
        IReadOnlyList<string> before = await AnswersAsync(sqlite, limit.Token);

        await MigrateAsync(await StoreHistory.OpenAsync(sqlite, limit.Token), "etcd", limit.Token);
        await using TestEtcd etcd = await TestEtcd.ServeAsync(TestEtcd.OptionsIn(_directory.At("etcd")), new EtcdStart.Continue());
        using var client = new EtcdClient(etcd.Server.ClientSocketPath, TimeProvider.System);
        await using var migrated = new EtcdStore(client, TimeProvider.System);

        IReadOnlyList<string> after = await AnswersAsync(migrated, limit.Token);
        for (int i = 0; i < before.Count; i++)
            Assert.True(before[i] == after[i], $"seed {seed}, question {i}\nsqlite: {before[i]}\netcd:   {after[i]}");
        Assert.Equal(before.Count, after.Count);
        await GoesOnAsync(migrated, limit.Token);
    }

    [Fact]
    public async Task A_lease_ends_with_the_migration_and_its_keys_are_deleted_for_watchers()
    {
        using CancellationTokenSource limit = Patience.Start();
        await using SqliteStore sqlite = OpenSqlite();
        StoreLease lease = await sqlite.GrantLeaseAsync(TimeSpan.FromHours(1), limit.Token);
        await sqlite.TransactAsync(new StoreTransaction([], [new StoreOperation.Put("/a/x", "1"u8.ToArray())]), limit.Token);
        await sqlite.TransactAsync(
            new StoreTransaction([], [new StoreOperation.Put("/alive/1", "1"u8.ToArray(), lease.Id), new StoreOperation.Put("/alive/2", "2"u8.ToArray(), lease.Id)]), limit.Token);

        await MigrateAsync(await StoreHistory.OpenAsync(sqlite, limit.Token), "etcd", limit.Token);
        await using TestEtcd etcd = await TestEtcd.ServeAsync(TestEtcd.OptionsIn(_directory.At("etcd")), new EtcdStart.Continue());
        using var client = new EtcdClient(etcd.Server.ClientSocketPath, TimeProvider.System);
        await using var migrated = new EtcdStore(client, TimeProvider.System);

        StoreRange range = await migrated.RangeAsync("", limit.Token);
        Assert.Equal((3L, "/a/x"), (range.Revision, Assert.Single(range.Entries).Key));
        await foreach (StoreChanges step in migrated.WatchAsync("/alive/", 3, limit.Token))
        {
            Assert.Equal([new StoreChange("/alive/1", null), new StoreChange("/alive/2", null)], step.Changes);
            break;
        }

        Assert.Null(await migrated.KeepLeaseAsync(lease.Id, limit.Token));
    }

    [Fact]
    public async Task A_member_that_joins_later_gets_every_key()
    {
        using CancellationTokenSource limit = Patience.Start();
        await using SqliteStore sqlite = OpenSqlite();
        await FillAsync(sqlite, new Random(9), 100, endsWithDeletions: false);
        StoreRange before = await sqlite.RangeAsync("", limit.Token);
        await MigrateAsync(await StoreHistory.OpenAsync(sqlite, limit.Token), "one", limit.Token);
        EtcdServerOptions oneOptions = TestEtcd.OptionsIn(_directory.At("one")), twoOptions = TestEtcd.OptionsIn(_directory.At("two"), 1);
        await using TestEtcd one = await TestEtcd.ServeAsync(oneOptions, new EtcdStart.Continue());
        using var oneClient = new EtcdClient(one.Server.ClientSocketPath, TimeProvider.System);

        await oneClient.AddMemberAsync([EtcdMembership.PeerUrl(twoOptions.Self)], isLearner: true, null, limit.Token);
        TestEtcd.Link(twoOptions.Directory, oneOptions);
        TestEtcd.Link(oneOptions.Directory, twoOptions);
        await using TestEtcd two = await TestEtcd.StartAsync(twoOptions, new EtcdStart.Join(TestEtcd.Token, [oneOptions.Self, twoOptions.Self]));
        using var twoClient = new EtcdClient(two.Server.ClientSocketPath, TimeProvider.System);
        ulong learner = (await oneClient.ListMembersAsync(null, limit.Token)).Single(member => member.IsLearner).ID;
        while (true)
        {
            try
            {
                await oneClient.PromoteMemberAsync(learner, null, limit.Token);
                break;
            }
            catch (Blixard.Etcd.Client.EtcdException e) when (e.Kind is EtcdErrorKind.LearnerNotReady or EtcdErrorKind.Unhealthy)
            {
                await Task.Delay(50, limit.Token);
            }
        }

        await two.UntilAsync(status => status.State == EtcdServerState.Serving);
        await using var store = new EtcdStore(twoClient, TimeProvider.System);
        StoreRange copy = await store.RangeAsync("", limit.Token);
        Assert.Equal(before.Revision, copy.Revision);
        Assert.Equal(before.Entries.Select(Describe), copy.Entries.Select(Describe));
    }

    private SqliteStore OpenSqlite() =>
        SqliteStore.Open(_directory.At("store.db"), TimeProvider.System, OperatingSystemRandomSource.Instance, historyRevisionsMax: 60);

    private async Task MigrateAsync(StoreHistory history, string name, CancellationToken cancellationToken)
    {
        string snapshot = _directory.At($"{name}.snapshot");
        await EtcdDatabase.WriteAsync(snapshot, history, null, cancellationToken);
        Directory.CreateDirectory(_directory.At(name));
        await EtcdRestoreTool.RestoreAsync(
            "etcd", snapshot, Path.Combine(_directory.At(name), EtcdCommandLine.DataDirectory), TestEtcd.Id(0).ToString(),
            EtcdMembership.PeerUrl(TestEtcd.Id(0)), TestEtcd.Token, cancellationToken);
    }

    private static async Task FillAsync(SqliteStore store, Random random, int transactions, bool endsWithDeletions)
    {
        for (int i = 0; i < transactions; i++)
        {
            var operations = new Dictionary<string, StoreOperation>();
            for (int count = random.Next(1, 4); count > 0; count--)
            {
                string key = $"{s_prefixes[random.Next(1, 4)]}{random.Next(9)}";
                operations[key] = random.Next(3) == 0
                    ? new StoreOperation.Delete(key)
                    : new StoreOperation.Put(key, Encoding.UTF8.GetBytes(new string('v', random.Next(40) == 0 ? 9_000 : random.Next(5)) + i));
            }

            await store.TransactAsync(new StoreTransaction([], [.. operations.Values]), TestContext.Current.CancellationToken);
        }

        // Every watched prefix but that of nothing changes in the last revision, so that each watch has an end.
        string[] last = ["/a/last", "/b/last", "/ü/last"];
        await store.TransactAsync(new StoreTransaction([], [.. last.Select(key => new StoreOperation.Put(key, "x"u8.ToArray()))]), TestContext.Current.CancellationToken);
        if (endsWithDeletions)
            await store.TransactAsync(new StoreTransaction([], [.. last.Select(key => new StoreOperation.Delete(key))]), TestContext.Current.CancellationToken);
    }

    private static async Task<IReadOnlyList<string>> AnswersAsync(IClusterStore store, CancellationToken cancellationToken)
    {
        var answers = new List<string>();
        long revision = 0;
        foreach (string prefix in s_prefixes)
        {
            StoreRange range = await store.RangeAsync(prefix, cancellationToken);
            revision = range.Revision;
            answers.Add($"range {prefix} at {revision}: {string.Join("; ", range.Entries.Select(Describe))}");
            foreach (StoreEntry entry in range.Entries)
                answers.Add(Describe((await store.GetAsync(entry.Key, cancellationToken))!));
        }

        foreach (string prefix in s_prefixes.SkipLast(1))
        {
            // Side by side: etcd looks for watches that begin in the past ten times a second only.
            string[] watched = await Task.WhenAll(
                Enumerable.Range(1, (int)revision).Select(from => WatchAsync(store, prefix, from, revision, cancellationToken)));
            answers.AddRange(watched.Select((answer, i) => $"watch {prefix} from {i + 1}: {answer}"));
        }

        return answers;
    }

    private static async Task<string> WatchAsync(IClusterStore store, string prefix, long from, long until, CancellationToken cancellationToken)
    {
        var seen = new StringBuilder();
        try
        {
            await foreach (StoreChanges step in store.WatchAsync(prefix, from, cancellationToken))
            {
                seen.Append(System.Globalization.CultureInfo.InvariantCulture, $"{step.Revision}: ");
                seen.AppendJoin(", ", step.Changes.Select(change => change.Entry is { } entry ? Describe(entry) : $"{change.Key} gone")).Append("; ");
                if (step.Revision >= until)
                    break;
            }
        }
        catch (StoreCompactedException compacted)
        {
            seen.Append(System.Globalization.CultureInfo.InvariantCulture, $"compacted, oldest is {compacted.OldestRevision}");
        }

        return seen.ToString();
    }

    private static async Task GoesOnAsync(IClusterStore store, CancellationToken cancellationToken)
    {
        StoreRange range = await store.RangeAsync("", cancellationToken);
        StoreEntry entry = range.Entries[0];
        StoreCommit commit = await store.TransactAsync(
            new StoreTransaction([new StoreComparison.ModRevision(entry.Key, entry.ModRevision)], [new StoreOperation.Put(entry.Key, "next"u8.ToArray())]), cancellationToken);
        Assert.Equal((true, range.Revision + 1), (commit.Succeeded, commit.Revision));
        StoreEntry written = (await store.GetAsync(entry.Key, cancellationToken))!;
        Assert.Equal((entry.CreateRevision, range.Revision + 1, entry.Version + 1), (written.CreateRevision, written.ModRevision, written.Version));
    }

    private static string Describe(StoreEntry entry) =>
        $"{entry.Key} = {Encoding.UTF8.GetString(entry.Value.Span)} ({entry.CreateRevision}, {entry.ModRevision}, {entry.Version}, {entry.Lease})";
}
