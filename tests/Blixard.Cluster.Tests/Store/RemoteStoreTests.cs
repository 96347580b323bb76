using Blixard.Cluster.Store;
using Blixard.Cluster.Tests.Support;
using Blixard.Rpc.Calls;
using Blixard.Testing.Basics;
using Blixard.Testing.Store;
using Blixard.V1;
using Iroh.Cryptography;

namespace Blixard.Cluster.Tests.Store;

public sealed class RemoteStoreTests : ClusterStoreSuite, IAsyncLifetime
{
    private readonly List<IAsyncDisposable> _hosts = [];

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable host in Enumerable.Reverse(_hosts))
            await host.DisposeAsync();
    }

    [Fact]
    public async Task A_watch_whose_stream_breaks_again_and_again_misses_nothing_and_repeats_nothing()
    {
        (TemporaryStore temporary, PipeLink link, RemoteStore remote) = Create();
        await using var store = new FailoverStore(() => [remote], TimeProvider.System, new SeededRandomSource(1));
        const int count = 60;
        Task<List<string>> watching = Task.Run(async () =>
        {
            var seen = new List<string>();
            await foreach (StoreChanges changes in store.WatchAsync("/k/", 1))
            {
                seen.AddRange(changes.Changes.Select(change => Text(change.Entry!)));
                // Broken by the reader in the middle of what it reads, and while it waits.
                if (seen.Count % 7 == 0)
                    link.Break();
                if (seen.Count == count)
                    break;
            }

            return seen;
        });
        for (int i = 0; i < count; i++)
            await PutAsync(temporary.Store, $"/k/{i}", $"{i}");
        Assert.Equal(Enumerable.Range(0, count).Select(i => $"{i}"), await watching.WaitAsync(TimeSpan.FromSeconds(50)));
        Assert.True(link.Opened > 1, "the stream was never opened again");
    }

    [Fact]
    public async Task A_server_that_cannot_be_reached_is_an_unavailable_store_until_it_can()
    {
        (_, PipeLink link, RemoteStore remote) = Create();
        link.IsDown = true;
        Assert.Contains("the link is down", (await Assert.ThrowsAsync<StoreUnavailableException>(async () => await remote.GetAsync("a"))).Message);
        await Assert.ThrowsAsync<StoreUnavailableException>(async () => await remote.RangeAsync(""));
        await Assert.ThrowsAsync<StoreUnavailableException>(async () => await PutAsync(remote, "a", "1"));
        link.IsDown = false;
        await PutAsync(remote, "a", "1");
        Assert.Equal("1", Text((await remote.GetAsync("a"))!));
    }

    [Fact]
    public async Task A_watch_whose_stream_breaks_ends_with_what_is_wrong()
    {
        (TemporaryStore temporary, PipeLink link, RemoteStore remote) = Create();
        await PutAsync(temporary.Store, "a", "1");
        await using IAsyncEnumerator<StoreChanges> watch = remote.WatchAsync("", 1, Cancel).GetAsyncEnumerator(Cancel);
        Assert.True(await watch.MoveNextAsync());
        link.Break();
        Assert.Contains("the server", (await Assert.ThrowsAsync<StoreUnavailableException>(async () => await watch.MoveNextAsync())).Message);
    }

    [Fact]
    public async Task A_watch_ends_when_the_servers_own_store_cannot_serve_it()
    {
        var candidate = new CandidateStore("engine", Create().Temporary.Store);
        await using var link = new PipeLink(new StoreService(candidate, TimeProvider.System).Bind());
        var remote = new RemoteStore(link.Caller, "the server", TimeProvider.System);
        candidate.Become(CandidateMode.Fails);
        await using IAsyncEnumerator<StoreChanges> watch = remote.WatchAsync("", 1, Cancel).GetAsyncEnumerator(Cancel);
        Assert.Contains("Fails", (await Assert.ThrowsAsync<StoreUnavailableException>(async () => await watch.MoveNextAsync())).Message);
    }

    [Theory]
    [InlineData(CandidateMode.Refuses, true)]
    [InlineData(CandidateMode.Fails, false)]
    public async Task A_server_says_whether_what_it_could_not_do_had_no_effect(object mode, bool hadNoEffect)
    {
        var candidate = new CandidateStore("engine", Create().Temporary.Store);
        await using var link = new PipeLink(new StoreService(candidate, TimeProvider.System).Bind());
        var remote = new RemoteStore(link.Caller, "the server", TimeProvider.System);
        candidate.Become((CandidateMode)mode);
        Assert.Equal(hadNoEffect, (await Assert.ThrowsAsync<StoreUnavailableException>(async () => await PutAsync(remote, "a", "1"))).HadNoEffect);
    }

    [Fact]
    public async Task A_read_that_was_not_sent_had_no_effect()
    {
        (_, PipeLink link, RemoteStore remote) = Create();
        link.IsDown = true;
        Assert.True((await Assert.ThrowsAsync<StoreUnavailableException>(async () => await PutAsync(remote, "a", "1"))).HadNoEffect);
    }

    [Fact]
    public async Task A_server_that_gives_no_sign_of_life_is_left_after_two_seconds_and_one_that_does_is_not()
    {
        var time = new ManualTimeProvider();
        (TemporaryStore temporary, _, RemoteStore alive) = Create(time);
        (_, PipeLink silentLink, RemoteStore silent) = Create(time);
        await PutAsync(temporary.Store, "a", "1");
        silentLink.IsSilent = true;
        await using IAsyncEnumerator<StoreChanges> dead = silent.WatchAsync("", 1, Cancel).GetAsyncEnumerator(Cancel);
        Task<bool> next = dead.MoveNextAsync().AsTask();
        await time.UntilTimerAsync(RemoteStore.SilenceMax, RemoteStore.SilenceMax);
        time.Advance(RemoteStore.SilenceMax);
        Assert.Contains("sign of life", (await Assert.ThrowsAsync<StoreUnavailableException>(() => next.WaitAsync(Patience, Cancel))).Message);

        await using IAsyncEnumerator<StoreChanges> watch = alive.WatchAsync("", 1, Cancel).GetAsyncEnumerator(Cancel);
        Assert.True(await watch.MoveNextAsync());
        next = watch.MoveNextAsync().AsTask();
        for (int second = 0; second < 10; second++)
        {
            // The server's timer and, begun again by its sign, the watcher's.
            await time.UntilTimerAsync(RemoteStore.SilenceMax, RemoteStore.SilenceMax);
            await time.UntilTimerAsync(StoreService.ProgressInterval, StoreService.ProgressInterval);
            time.Advance(StoreService.ProgressInterval);
        }

        await PutAsync(temporary.Store, "b", "1");
        Assert.True(await next.WaitAsync(Patience, Cancel));
    }

    [Fact]
    public async Task Answers_say_whether_they_are_linearizable()
    {
        (TemporaryStore temporary, PipeLink link, _) = Create();
        Assert.True((await link.Caller.CallAsync(StoreMethods.Get, new GetRequest { Key = "a" })).Linearizable);
        // SQLite is never stale, whatever is allowed.
        Assert.True((await link.Caller.CallAsync(StoreMethods.Get, new GetRequest { Key = "a", MayBeStale = true })).Linearizable);
        await using var other = new PipeLink(new StoreService(new FaultyStore(temporary.Store, StoreFault.None, 1), TimeProvider.System).Bind());
        Assert.True((await other.Caller.CallAsync(StoreMethods.Get, new GetRequest { Key = "a" })).Linearizable);
        Assert.False((await other.Caller.CallAsync(StoreMethods.Get, new GetRequest { Key = "a", MayBeStale = true })).Linearizable);
        RangeResponse range = (await other.Caller.StreamAsync(StoreMethods.Range, new RangeRequest { MayBeStale = true }).ToListAsync())[0];
        Assert.False(range.Linearizable);
    }

    [Fact]
    public async Task A_range_of_many_large_values_comes_in_several_messages_of_one_revision()
    {
        (TemporaryStore temporary, _, RemoteStore remote) = Create();
        for (int i = 0; i < 12; i++)
            await temporary.Store.TransactAsync(new([], [new StoreOperation.Put($"/big/{i:00}", new byte[StoreLimits.ValueBytesMax])]));
        StoreRange range = await remote.RangeAsync("/big/");
        Assert.Equal(12, range.Entries.Count);
        Assert.All(range.Entries, entry => Assert.Equal(StoreLimits.ValueBytesMax, entry.Value.Length));
        Assert.Equal(12, range.Revision);
    }

    [Fact]
    public async Task Requests_that_say_nothing_are_refused()
    {
        (_, PipeLink link, _) = Create();
        var empty = new TransactRequest { Comparisons = { new Comparison { Key = "a" } } };
        await RefusedAsync(link.Caller.CallAsync(StoreMethods.Transact, empty));
        await RefusedAsync(link.Caller.CallAsync(StoreMethods.Transact, new TransactRequest { Operations = { new Operation() } }));
        await RefusedAsync(link.Caller.CallAsync(StoreMethods.Get, new GetRequest()));
        await RefusedAsync(link.Caller.CallAsync(StoreMethods.GrantLease, new GrantLeaseRequest()));
        await RefusedAsync(link.Caller.CallAsync(StoreMethods.GrantLease, new GrantLeaseRequest { TtlSeconds = long.MaxValue }));
        await RefusedAsync(link.Caller.StreamAsync(StoreMethods.Watch, new WatchRequest()).ToListAsync().AsTask());
    }

    protected override Task<IClusterStore> CreateAsync() => Task.FromResult<IClusterStore>(Create().Remote);

    private static async Task RefusedAsync(Task call) =>
        Assert.Equal(RpcStatusCode.InvalidArgument, (await Assert.ThrowsAsync<RpcException>(() => call)).StatusCode);

    private (TemporaryStore Temporary, PipeLink Link, RemoteStore Remote) Create(TimeProvider? time = null)
    {
        var temporary = new TemporaryStore();
        var link = new PipeLink(new StoreService(temporary.Store, time ?? TimeProvider.System).Bind());
        _hosts.AddRange([temporary, link]);
        return (temporary, link, new RemoteStore(link.Caller, "the server", time ?? TimeProvider.System));
    }
}
