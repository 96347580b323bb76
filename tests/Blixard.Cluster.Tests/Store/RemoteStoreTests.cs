using Blixard.Cluster.Store;
using Blixard.Cluster.Tests.Support;
using Blixard.Rpc.Calls;
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
        const int count = 60;
        Task<List<string>> watching = Task.Run(async () =>
        {
            var seen = new List<string>();
            await foreach (StoreChanges changes in remote.WatchAsync("/k/", 1))
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
        await RefusedAsync(link.Caller.StreamAsync(StoreMethods.Watch, new WatchRequest()).ToListAsync().AsTask());
    }

    protected override Task<IClusterStore> CreateAsync() => Task.FromResult<IClusterStore>(Create().Remote);

    private static async Task RefusedAsync(Task call) =>
        Assert.Equal(RpcStatusCode.InvalidArgument, (await Assert.ThrowsAsync<RpcException>(() => call)).StatusCode);

    private (TemporaryStore Temporary, PipeLink Link, RemoteStore Remote) Create()
    {
        var temporary = new TemporaryStore();
        var link = new PipeLink(new StoreService(temporary.Store, TimeProvider.System).Bind());
        _hosts.AddRange([temporary, link]);
        return (temporary, link, new RemoteStore(link.Caller, TimeProvider.System, new SeededRandomSource(1)));
    }
}
