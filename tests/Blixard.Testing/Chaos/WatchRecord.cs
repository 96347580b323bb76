using Blixard.Cluster.Store;

namespace Blixard.Testing.Chaos;

/// <summary>Watches a prefix from a revision on and keeps what it is told. Owns its store. One owner.</summary>
internal sealed class WatchRecord : IAsyncDisposable
{
    private readonly IClusterStore _store;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly List<StoreChange> _told = [];
    private readonly Task _watching;

    public WatchRecord(IClusterStore store, string prefix, long fromRevision)
    {
        _store = store;
        _watching = Task.Run(() => WatchAsync(prefix, fromRevision));
    }

    /// <summary>What was told so far, in order.</summary>
    public IReadOnlyList<StoreChange> Told
    {
        get
        {
            lock (_lock)
                return [.. _told];
        }
    }

    /// <summary>Waits until a revision has been told.</summary>
    public async Task UntilRevisionAsync(long revision, TimeSpan limit)
    {
        using var end = new CancellationTokenSource(limit);
        while (!Told.Any(change => change.Entry?.ModRevision >= revision))
        {
            if (_watching.IsCompleted)
                await _watching.ConfigureAwait(false);
            if (end.IsCancellationRequested)
                throw new ChaosException($"the watch did not tell revision {revision} within {limit.TotalSeconds:0} s");
            await Task.Delay(20, CancellationToken.None).ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _store.DisposeAsync().ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task WatchAsync(string prefix, long fromRevision)
    {
        await foreach (StoreChanges changes in _store.WatchAsync(prefix, fromRevision, _stopping.Token).ConfigureAwait(false))
        {
            lock (_lock)
                _told.AddRange(changes.Changes);
        }
    }
}
