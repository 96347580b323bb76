using Blixard.Cluster.Store;
using Iroh.Cryptography;

namespace Blixard.Testing.Store;

/// <summary>What every engine of <see cref="IClusterStore"/> must do. Each engine's test class derives from it.</summary>
public abstract class ClusterStoreSuite : StoreHistorySuite
{
    [Fact]
    public async Task A_new_store_is_empty_at_revision_zero()
    {
        await using IClusterStore store = await CreateAsync();
        Assert.Null(await store.GetAsync("a", Cancel));
        StoreRange range = await store.RangeAsync("", Cancel);
        Assert.Empty(range.Entries);
        Assert.Equal(0, range.Revision);
    }

    [Fact]
    public async Task A_put_can_be_read_with_its_revisions_and_version()
    {
        await using IClusterStore store = await CreateAsync();
        long first = await PutAsync(store, "a", "1");
        await PutAsync(store, "b", "x");
        long second = await PutAsync(store, "a", "2");
        StoreEntry entry = (await store.GetAsync("a", Cancel))!;
        Assert.Equal("2", Text(entry));
        Assert.Equal((first, second, 2), (entry.CreateRevision, entry.ModRevision, entry.Version));
        Assert.Equal(first + 2, second);
    }

    [Fact]
    public async Task A_deleted_key_is_gone_and_starts_anew_when_it_is_put_again()
    {
        await using IClusterStore store = await CreateAsync();
        await PutAsync(store, "a", "1");
        Assert.True((await store.TransactAsync(new([], [new StoreOperation.Delete("a")]), Cancel)).Succeeded);
        Assert.Null(await store.GetAsync("a", Cancel));
        long revision = await PutAsync(store, "a", "2");
        StoreEntry entry = (await store.GetAsync("a", Cancel))!;
        Assert.Equal((revision, revision, 1), (entry.CreateRevision, entry.ModRevision, entry.Version));
    }

    [Fact]
    public async Task A_range_has_exactly_the_keys_with_the_prefix_in_the_order_of_their_bytes()
    {
        await using IClusterStore store = await CreateAsync();
        foreach (string key in new[] { "/vms/b", "/vms/a", "/vm", "/vmsx", "/vms/", "/zz", "/vms/é", "/vms/z" })
            await PutAsync(store, key, key);
        StoreRange range = await store.RangeAsync("/vms/", Cancel);
        Assert.Equal(["/vms/", "/vms/a", "/vms/b", "/vms/z", "/vms/é"], range.Entries.Select(entry => entry.Key));
        Assert.Equal(8, range.Revision);
    }

    [Fact]
    public async Task A_transaction_with_a_comparison_that_fails_changes_nothing_and_shows_what_is()
    {
        await using IClusterStore store = await CreateAsync();
        long revision = await PutAsync(store, "a", "1");
        StoreComparison[] failing =
        [
            new StoreComparison.Absent("a"), new StoreComparison.Present("b"), new StoreComparison.ModRevision("a", revision + 1),
            new StoreComparison.ValueIs("a", Bytes("2")), new StoreComparison.ValueIs("b", Bytes("")), new StoreComparison.ModRevision("b", 1),
        ];
        foreach (StoreComparison comparison in failing)
        {
            StoreCommit commit = await store.TransactAsync(
                new([new StoreComparison.Present("a"), comparison], [new StoreOperation.Put("c", Bytes("3"))]), Cancel);
            Assert.False(commit.Succeeded, comparison.ToString());
            Assert.Equal("a", Assert.Single(commit.Current).Key);
            Assert.Equal(revision, commit.Revision);
            Assert.Null(await store.GetAsync("c", Cancel));
        }
    }

    [Fact]
    public async Task A_transaction_whose_comparisons_hold_does_everything_in_one_revision()
    {
        await using IClusterStore store = await CreateAsync();
        long revision = await PutAsync(store, "a", "1");
        StoreCommit commit = await store.TransactAsync(
            new(
                [
                    new StoreComparison.Present("a"), new StoreComparison.ModRevision("a", revision),
                    new StoreComparison.ValueIs("a", Bytes("1")), new StoreComparison.Absent("b"),
                ],
                [new StoreOperation.Delete("a"), new StoreOperation.Put("b", Bytes("2")), new StoreOperation.Put("c", Bytes("3"))]),
            Cancel);
        Assert.True(commit.Succeeded);
        Assert.Equal(revision + 1, commit.Revision);
        Assert.Equal(["b", "c"], (await store.RangeAsync("", Cancel)).Entries.Select(entry => entry.Key));
        Assert.All((await store.RangeAsync("", Cancel)).Entries, entry => Assert.Equal(commit.Revision, entry.ModRevision));
    }

    [Fact]
    public async Task A_watch_sees_every_later_change_under_its_prefix_once_and_in_order()
    {
        await using IClusterStore store = await CreateAsync();
        await PutAsync(store, "/a/1", "old");
        long from = (await store.RangeAsync("/a/", Cancel)).Revision + 1;
        await using IAsyncEnumerator<StoreChanges> watch = store.WatchAsync("/a/", from, Cancel).GetAsyncEnumerator(Cancel);
        ValueTask<bool> next = watch.MoveNextAsync();
        await PutAsync(store, "/b/1", "elsewhere");
        long put = await PutAsync(store, "/a/2", "new");
        Assert.True(await next);
        Assert.Equal(put, watch.Current.Revision);
        StoreChange change = Assert.Single(watch.Current.Changes);
        Assert.Equal(("/a/2", "new"), (change.Key, Text(change.Entry!)));

        await store.TransactAsync(new([], [new StoreOperation.Delete("/a/1"), new StoreOperation.Put("/a/3", Bytes("3"))]), Cancel);
        Assert.True(await watch.MoveNextAsync());
        Assert.Equal(["/a/1", "/a/3"], watch.Current.Changes.Select(item => item.Key));
        Assert.Null(watch.Current.Changes[0].Entry);
    }

    [Fact]
    public async Task A_watch_from_an_old_revision_catches_up()
    {
        await using IClusterStore store = await CreateAsync();
        for (int i = 0; i < 50; i++)
            await PutAsync(store, $"/k/{i % 7}", $"{i}");
        var seen = new List<string>();
        await foreach (StoreChanges changes in store.WatchAsync("/k/", 11, Cancel))
        {
            seen.AddRange(changes.Changes.Select(change => Text(change.Entry!)));
            if (seen.Count == 40)
                break;
        }

        Assert.Equal(Enumerable.Range(10, 40).Select(i => $"{i}"), seen);
    }

    [Fact]
    public async Task A_watch_from_a_revision_that_is_no_longer_kept_says_where_it_can_begin()
    {
        await using IClusterStore store = await CreateAsync();
        await ForgetHistoryAsync(store);
        await PutAsync(store, "last", "1");
        StoreCompactedException exception = await Assert.ThrowsAsync<StoreCompactedException>(async () =>
        {
            await foreach (StoreChanges _ in store.WatchAsync("", 1, Cancel))
            {
            }
        });
        await using IAsyncEnumerator<StoreChanges> watch = store.WatchAsync("", exception.OldestRevision, Cancel).GetAsyncEnumerator(Cancel);
        Assert.True(await watch.MoveNextAsync());
        Assert.Equal(exception.OldestRevision, watch.Current.Revision);
    }

    [Fact]
    public async Task Keys_and_values_and_transactions_beyond_the_limits_are_refused()
    {
        await using IClusterStore store = await CreateAsync();
        await Assert.ThrowsAsync<ArgumentException>(async () => await PutAsync(store, "", "x"));
        await Assert.ThrowsAsync<ArgumentException>(async () => await PutAsync(store, new string('é', 513), "x"));
        await Assert.ThrowsAsync<ArgumentException>(async () =>
            await store.TransactAsync(new([], [new StoreOperation.Put("a", new byte[StoreLimits.ValueBytesMax + 1])]), Cancel));
        await Assert.ThrowsAsync<ArgumentException>(async () =>
            await store.TransactAsync(new([], [new StoreOperation.Put("a", default), new StoreOperation.Delete("a")]), Cancel));
        await Assert.ThrowsAsync<ArgumentException>(async () =>
            await store.TransactAsync(new([], [.. Enumerable.Range(0, 129).Select(i => new StoreOperation.Put($"{i}", default))]), Cancel));
        Assert.Equal(0, (await store.RangeAsync("", Cancel)).Revision);
    }

    [Fact]
    public async Task Concurrent_increments_by_compare_and_swap_lose_nothing()
    {
        await using IClusterStore store = await CreateAsync();
        await PutAsync(store, "counter", "0");
        const int workers = 8, each = 15;
        await Task.WhenAll(Enumerable.Range(0, workers).Select(_ => Task.Run(async () =>
        {
            for (int done = 0; done < each;)
            {
                StoreEntry entry = (await store.GetAsync("counter", Cancel))!;
                StoreCommit commit = await store.TransactAsync(
                    new(
                        [new StoreComparison.ModRevision("counter", entry.ModRevision)],
                        [new StoreOperation.Put("counter", Bytes($"{int.Parse(Text(entry)) + 1}"))]),
                    Cancel);
                if (commit.Succeeded)
                    done++;
            }
        })));
        Assert.Equal($"{workers * each}", Text((await store.GetAsync("counter", Cancel))!));
    }

    [Fact]
    public async Task Random_histories_leave_what_a_dictionary_would_and_watches_rebuild_it()
    {
        for (ulong seed = 0; seed < 8; seed++)
        {
            await using IClusterStore store = await CreateAsync();
            var random = new SeededRandomSource(seed);
            var model = new SortedDictionary<string, string>(StringComparer.Ordinal);
            for (int step = 0; step < 60; step++)
            {
                string key = $"k{random.NextBelow(6)}";
                bool expectPresent = random.NextBelow(2) == 0;
                bool put = random.NextBelow(3) > 0;
                string value = $"{random.NextBelow(1000)}";
                StoreCommit commit = await store.TransactAsync(
                    new(
                        [expectPresent ? new StoreComparison.Present(key) : new StoreComparison.Absent(key)],
                        [put ? new StoreOperation.Put(key, Bytes(value)) : new StoreOperation.Delete(key)]),
                    Cancel);
                Assert.True(commit.Succeeded == (model.ContainsKey(key) == expectPresent), $"seed {seed} step {step}");
                if (commit.Succeeded && put)
                    model[key] = value;
                else if (commit.Succeeded)
                    model.Remove(key);
            }

            StoreRange range = await store.RangeAsync("", Cancel);
            Assert.Equal(model.Select(pair => (pair.Key, pair.Value)), range.Entries.Select(entry => (entry.Key, Text(entry))));
            var rebuilt = new SortedDictionary<string, string>(StringComparer.Ordinal);
            await foreach (StoreChanges changes in store.WatchAsync("", 1, Cancel))
            {
                foreach (StoreChange change in changes.Changes)
                {
                    if (change.Entry is { } entry)
                        rebuilt[change.Key] = Text(entry);
                    else
                        rebuilt.Remove(change.Key);
                }

                if (changes.Revision == range.Revision)
                    break;
            }

            Assert.Equal(model, rebuilt);
        }
    }

    [Fact]
    public async Task A_replica_shows_what_was_written_sooner_or_later()
    {
        await using IClusterStore store = await CreateAsync();
        Assert.Equal(0, (await store.Replica.RangeAsync("", Cancel)).Revision);
        long revision = await PutAsync(store, "/a", "1");
        using var patience = new CancellationTokenSource(Patience);
        StoreRange range;
        do
        {
            range = await store.Replica.RangeAsync("/", patience.Token);
            Assert.True(range.Revision <= revision, $"{range.Revision}");
        }
        while (range.Revision < revision);
        Assert.Equal("1", Text(Assert.Single(range.Entries)));
        Assert.Equal(revision, (await store.Replica.GetAsync("/a", Cancel))!.ModRevision);
        Assert.Null(await store.Replica.GetAsync("/b", Cancel));
        await Assert.ThrowsAsync<ArgumentException>(async () => await store.Replica.GetAsync("", Cancel));
    }
}
