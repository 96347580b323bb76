using System.Globalization;
using System.Text;
using Blixard.Cluster.Store;
using Blixard.Etcd.Client;
using Blixard.Etcd.Store;
using Blixard.Etcd.Tests.Support;

namespace Blixard.Etcd.Tests.Store;

/// <summary>What callers see while etcd is killed, restarted or without its quorum.</summary>
public sealed class EtcdStoreOutageTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Nothing_acknowledged_is_lost_and_a_watch_misses_nothing_when_etcd_is_killed_in_the_middle()
    {
        await using EtcdCluster etcd = await EtcdCluster.StartAsync();
        await using EtcdStore store = etcd.Store();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var acknowledged = new SortedDictionary<long, int>();
        var without = new HashSet<int>();
        using var some = new SemaphoreSlim(0);
        Task writer = Task.Run(async () =>
        {
            for (int i = 1; !stop.IsCancellationRequested; i++)
            {
                try
                {
                    StoreCommit commit = await store.TransactAsync(
                        new([], [new StoreOperation.Put("n", Encoding.ASCII.GetBytes($"{i}"))]), CancellationToken.None);
                    acknowledged.Add(commit.Revision, i);
                    some.Release();
                }
                catch (StoreUnavailableException e)
                {
                    if (e.HadNoEffect)
                        without.Add(i);
                    await Task.Delay(5);
                }
            }
        });
        var watched = new List<(long Revision, int Value)>();
        Task watcher = Task.Run(() => FollowAsync(store, watched, stop.Token));
        for (int kill = 0; kill < 3; kill++)
        {
            for (int i = 0; i < 30; i++)
                Assert.True(await some.WaitAsync(s_patience, Cancel));
            await etcd.KillAsync();
            while (some.Wait(0))
            {
            }

            etcd.Start(0);
        }

        Assert.True(await some.WaitAsync(s_patience, Cancel));
        await stop.CancelAsync();
        await writer.WaitAsync(s_patience);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => watcher.WaitAsync(s_patience));

        long last = acknowledged.Keys.Max();
        await using (EtcdStore again = etcd.Store())
            await FollowAsync(again, watched, Cancel, last);
        Assert.Equal(Enumerable.Range(1, watched.Count).Select(revision => (long)revision), watched.Select(seen => seen.Revision));
        Assert.Equal(acknowledged.Select(pair => (pair.Key, pair.Value)), watched.Where(seen => acknowledged.ContainsKey(seen.Revision)));
        Assert.NotEmpty(without);
        Assert.DoesNotContain(watched, seen => without.Contains(seen.Value));
    }

    [Fact]
    public async Task Without_a_quorum_calls_fail_and_watches_end_and_the_replica_answers_on()
    {
        await using EtcdCluster etcd = await EtcdCluster.StartAsync(members: 3);
        await using EtcdStore store = etcd.Store();
        await using EtcdStore impatient = etcd.ImpatientStore();
        await PutAsync(store, "a");
        await using IAsyncEnumerator<StoreChanges> watch = store.WatchAsync("", 1, Cancel).GetAsyncEnumerator(Cancel);
        Assert.True(await watch.MoveNextAsync());
        await etcd.KillAsync(1);
        await etcd.KillAsync(2);

        await Assert.ThrowsAsync<StoreUnavailableException>(async () => await PutAsync(impatient, "a"));
        await Assert.ThrowsAsync<StoreUnavailableException>(async () => await impatient.GetAsync("a", Cancel));
        await Assert.ThrowsAsync<StoreUnavailableException>(async () => await impatient.GrantLeaseAsync(TimeSpan.FromSeconds(5), Cancel));
        await Assert.ThrowsAsync<StoreUnavailableException>(async () => await watch.MoveNextAsync().AsTask().WaitAsync(s_patience));
        Assert.NotNull(await store.Replica.GetAsync("a", Cancel));
        Assert.Contains("a", (await store.Replica.RangeAsync("", Cancel)).Entries.Select(entry => entry.Key));

        // By now the member knows that it has no leader, and says so instead of waiting.
        StoreUnavailableException e = await Assert.ThrowsAsync<StoreUnavailableException>(async () => await PutAsync(impatient, "b"));
        Assert.True(e.HadNoEffect, e.Message);
        Assert.Contains("no leader", e.Message);

        etcd.Start(1);
        await etcd.WaitAsync(0);
        await PutAsync(store, "b");
        Assert.NotNull(await store.GetAsync("b", Cancel));
    }

    [Fact]
    public async Task A_deep_folder_is_no_obstacle_and_a_restart_is_answered_by_the_next_call()
    {
        await using EtcdCluster etcd = await EtcdCluster.StartAsync(deeper: 150);
        await using EtcdStore store = etcd.Store();
        await PutAsync(store, "a");
        await etcd.KillAsync();
        StoreUnavailableException e = await Assert.ThrowsAsync<StoreUnavailableException>(async () => await store.GetAsync("a", Cancel));
        Assert.IsType<EtcdException>(e.InnerException);
        etcd.Start(0);
        // Through a client of its own, so that the store's client meets the restarted member with its first call.
        using (var other = new EtcdClient(etcd.SocketPath(), TimeProvider.System))
            await EtcdCluster.WaitAsync(other);
        Assert.NotNull(await store.GetAsync("a", Cancel));
    }

    private static async Task PutAsync(EtcdStore store, string key) =>
        Assert.True((await store.TransactAsync(new([], [new StoreOperation.Put(key, new byte[1])]), Cancel)).Succeeded);

    /// <summary>Watches on where it was until a revision, or for ever, as a caller does.</summary>
    private static async Task FollowAsync(EtcdStore store, List<(long Revision, int Value)> watched, CancellationToken cancellationToken, long until = long.MaxValue)
    {
        while (true)
        {
            try
            {
                long next = watched.Count == 0 ? 1 : watched[^1].Revision + 1;
                if (next > until)
                    return;
                await foreach (StoreChanges changes in store.WatchAsync("n", next, cancellationToken))
                {
                    string value = Encoding.ASCII.GetString(Assert.Single(changes.Changes).Entry!.Value.Span);
                    watched.Add((changes.Revision, int.Parse(value, CultureInfo.InvariantCulture)));
                    if (changes.Revision >= until)
                        return;
                }
            }
            catch (StoreUnavailableException)
            {
                await Task.Delay(5, cancellationToken);
            }
        }
    }
}
