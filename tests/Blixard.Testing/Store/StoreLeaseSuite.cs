using System.Diagnostics;
using Blixard.Cluster.Store;

namespace Blixard.Testing.Store;

/// <summary>What leases do in every engine. Time is real here, and engines may notice an end a second or so late.</summary>
public abstract class StoreLeaseSuite : StoreSuite
{
    [Fact]
    public async Task A_lease_has_a_number_and_at_least_the_time_that_was_asked_for()
    {
        await using IClusterStore store = await CreateAsync();
        StoreLease first = await store.GrantLeaseAsync(TimeSpan.FromSeconds(60), Cancel);
        StoreLease second = await store.GrantLeaseAsync(StoreLimits.LeaseMin, Cancel);
        Assert.True(first.Id > 0 && second.Id > 0 && first.Id != second.Id, $"{first} {second}");
        Assert.True(first.TimeToLive >= TimeSpan.FromSeconds(60) && second.TimeToLive >= StoreLimits.LeaseMin, $"{first} {second}");
        Assert.Equal(0, (await store.RangeAsync("", Cancel)).Revision);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2.5)]
    [InlineData(3_601)]
    public async Task A_lease_that_is_too_short_or_too_long_or_not_of_whole_seconds_is_refused(double seconds)
    {
        await using IClusterStore store = await CreateAsync();
        await Assert.ThrowsAsync<ArgumentException>(async () => await store.GrantLeaseAsync(TimeSpan.FromSeconds(seconds), Cancel));
    }

    [Fact]
    public async Task A_key_says_which_lease_it_was_put_with()
    {
        await using IClusterStore store = await CreateAsync();
        StoreLease lease = await store.GrantLeaseAsync(TimeSpan.FromMinutes(10), Cancel);
        await PutAsync(store, "a", "1", lease.Id);
        await PutAsync(store, "b", "1");
        Assert.Equal(lease.Id, (await store.GetAsync("a", Cancel))!.Lease);
        Assert.Equal([lease.Id, 0], (await store.RangeAsync("", Cancel)).Entries.Select(entry => entry.Lease));
        await using IAsyncEnumerator<StoreChanges> watch = store.WatchAsync("a", 1, Cancel).GetAsyncEnumerator(Cancel);
        Assert.True(await watch.MoveNextAsync().AsTask().WaitAsync(Patience, Cancel));
        Assert.Equal(lease.Id, Assert.Single(watch.Current.Changes).Entry!.Lease);
    }

    [Fact]
    public async Task A_lease_that_is_not_kept_ends_with_its_keys_in_one_revision_that_a_watch_sees()
    {
        await using IClusterStore store = await CreateAsync();
        var age = Stopwatch.StartNew();
        StoreLease lease = await store.GrantLeaseAsync(StoreLimits.LeaseMin, Cancel);
        await store.TransactAsync(
            new([], [new StoreOperation.Put("/n/a", Bytes("1"), lease.Id), new StoreOperation.Put("/n/b", Bytes("2"), lease.Id), new StoreOperation.Put("/n/c", Bytes("3"))]),
            Cancel);
        await using IAsyncEnumerator<StoreChanges> watch = store.WatchAsync("/n/", 2, Cancel).GetAsyncEnumerator(Cancel);
        Assert.True(await watch.MoveNextAsync().AsTask().WaitAsync(Patience, Cancel));
        Assert.True(age.Elapsed >= StoreLimits.LeaseMin, $"the lease ended after {age.Elapsed}");
        Assert.Equal(2, watch.Current.Revision);
        Assert.Equal(["/n/a", "/n/b"], watch.Current.Changes.Select(change => change.Key).Order(StringComparer.Ordinal));
        Assert.All(watch.Current.Changes, change => Assert.Null(change.Entry));
        Assert.Equal(["/n/c"], (await store.RangeAsync("", Cancel)).Entries.Select(entry => entry.Key));
        Assert.Null(await store.KeepLeaseAsync(lease.Id, Cancel));
    }

    [Fact]
    public async Task A_lease_that_is_kept_outlives_one_that_is_not()
    {
        await using IClusterStore store = await CreateAsync();
        var timeToLive = TimeSpan.FromSeconds(5);
        var sinceKept = Stopwatch.StartNew();
        StoreLease kept = await store.GrantLeaseAsync(timeToLive, Cancel);
        StoreLease left = await store.GrantLeaseAsync(timeToLive, Cancel);
        await PutAsync(store, "kept", "1", kept.Id);
        await PutAsync(store, "left", "1", left.Id);
        using var patience = new CancellationTokenSource(Patience);
        bool isSurelyKept = true;
        for (int more = 3; more > 0;)
        {
            var sinceAsked = Stopwatch.StartNew();
            TimeSpan? lives = await store.KeepLeaseAsync(kept.Id, patience.Token);
            // A machine that stands still for the lease's whole time proves nothing.
            isSurelyKept &= sinceKept.Elapsed < timeToLive;
            if (isSurelyKept)
                Assert.True(lives >= timeToLive, $"kept for {lives}");
            sinceKept = sinceAsked;
            await Task.Delay(100, patience.Token);
            if (await store.GetAsync("left", patience.Token) is null)
                more--;
        }

        StoreEntry? entry = await store.GetAsync("kept", Cancel);
        Assert.True(entry is not null || !isSurelyKept || sinceKept.Elapsed >= timeToLive, "the key of the lease that was kept is gone");
    }

    [Fact]
    public async Task A_lease_that_is_revoked_ends_with_its_keys_in_one_revision_that_a_watch_sees()
    {
        await using IClusterStore store = await CreateAsync();
        StoreLease lease = await store.GrantLeaseAsync(TimeSpan.FromMinutes(10), Cancel);
        await PutAsync(store, "a", "1", lease.Id);
        await PutAsync(store, "b", "2", lease.Id);
        await store.RevokeLeaseAsync(lease.Id, Cancel);
        StoreRange range = await store.RangeAsync("", Cancel);
        Assert.Empty(range.Entries);
        Assert.Equal(3, range.Revision);
        await using IAsyncEnumerator<StoreChanges> watch = store.WatchAsync("", 3, Cancel).GetAsyncEnumerator(Cancel);
        Assert.True(await watch.MoveNextAsync().AsTask().WaitAsync(Patience, Cancel));
        Assert.Equal((3, 2), (watch.Current.Revision, watch.Current.Changes.Count(change => change.Entry is null)));
        Assert.Null(await store.KeepLeaseAsync(lease.Id, Cancel));
    }

    [Fact]
    public async Task Revoking_or_keeping_a_lease_that_never_was_is_no_error()
    {
        await using IClusterStore store = await CreateAsync();
        await store.RevokeLeaseAsync(123_456, Cancel);
        Assert.Null(await store.KeepLeaseAsync(123_456, Cancel));
        Assert.Equal(0, (await store.RangeAsync("", Cancel)).Revision);
    }

    [Fact]
    public async Task A_lease_without_keys_ends_without_a_revision()
    {
        await using IClusterStore store = await CreateAsync();
        StoreLease lease = await store.GrantLeaseAsync(TimeSpan.FromMinutes(10), Cancel);
        await store.RevokeLeaseAsync(lease.Id, Cancel);
        Assert.Equal(1, await PutAsync(store, "a", "1"));
    }

    [Fact]
    public async Task A_transaction_with_a_put_whose_lease_is_gone_does_nothing()
    {
        await using IClusterStore store = await CreateAsync();
        StoreLease gone = await store.GrantLeaseAsync(TimeSpan.FromMinutes(10), Cancel);
        StoreLease there = await store.GrantLeaseAsync(TimeSpan.FromMinutes(10), Cancel);
        await store.RevokeLeaseAsync(gone.Id, Cancel);
        await Assert.ThrowsAsync<StoreLeaseNotFoundException>(async () => await store.TransactAsync(
            new(
                [new StoreComparison.Absent("c")],
                [new StoreOperation.Put("a", Bytes("1")), new StoreOperation.Put("b", Bytes("2"), there.Id), new StoreOperation.Put("c", Bytes("3"), gone.Id)]),
            Cancel));
        StoreRange range = await store.RangeAsync("", Cancel);
        Assert.Empty(range.Entries);
        Assert.Equal(0, range.Revision);
        Assert.Equal(1, await PutAsync(store, "a", "1", there.Id));
    }

    [Fact]
    public async Task A_put_without_a_lease_takes_the_key_from_the_lease_that_it_had()
    {
        await using IClusterStore store = await CreateAsync();
        StoreLease lease = await store.GrantLeaseAsync(TimeSpan.FromMinutes(10), Cancel);
        await PutAsync(store, "a", "1", lease.Id);
        await PutAsync(store, "b", "1", lease.Id);
        await PutAsync(store, "a", "2");
        await store.RevokeLeaseAsync(lease.Id, Cancel);
        StoreEntry entry = Assert.Single((await store.RangeAsync("", Cancel)).Entries);
        Assert.Equal(("a", "2", 0L), (entry.Key, Text(entry), entry.Lease));
    }

    [Fact]
    public async Task A_put_with_another_lease_moves_the_key_to_it()
    {
        await using IClusterStore store = await CreateAsync();
        StoreLease first = await store.GrantLeaseAsync(TimeSpan.FromMinutes(10), Cancel);
        StoreLease second = await store.GrantLeaseAsync(TimeSpan.FromMinutes(10), Cancel);
        await PutAsync(store, "a", "1", first.Id);
        await PutAsync(store, "a", "2", second.Id);
        await store.RevokeLeaseAsync(first.Id, Cancel);
        Assert.Equal(second.Id, (await store.GetAsync("a", Cancel))!.Lease);
        await store.RevokeLeaseAsync(second.Id, Cancel);
        Assert.Null(await store.GetAsync("a", Cancel));
    }

    [Fact]
    public async Task A_key_that_was_deleted_and_put_again_no_longer_ends_with_its_first_lease()
    {
        await using IClusterStore store = await CreateAsync();
        StoreLease lease = await store.GrantLeaseAsync(TimeSpan.FromMinutes(10), Cancel);
        await PutAsync(store, "a", "1", lease.Id);
        await store.TransactAsync(new([], [new StoreOperation.Delete("a")]), Cancel);
        await PutAsync(store, "a", "2");
        await store.RevokeLeaseAsync(lease.Id, Cancel);
        Assert.Equal("2", Text((await store.GetAsync("a", Cancel))!));
    }
}
