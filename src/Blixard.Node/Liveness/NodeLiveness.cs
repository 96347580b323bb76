using Blixard.Cluster.Liveness;
using Blixard.Node.Events;
using Blixard.Node.Membership;
using Blixard.V1;
using Iroh.Base;

namespace Blixard.Node.Liveness;

/// <summary>Who lives and who is lost, as this node knows it: kept up to date by a watch, and through an outage of the store what it was. Thread-safe.</summary>
internal sealed class NodeLiveness : IAsyncDisposable
{
    private readonly NodeCluster _cluster;
    private readonly NodeEventHub _events;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _loop;
    private LivenessView _current = LivenessView.Empty;

    public NodeLiveness(NodeCluster cluster, NodeEventHub events)
    {
        (_cluster, _events) = (cluster, events);
        _loop = Task.Run(WatchAsync);
    }

    /// <summary>Raised, on any thread, after each change.</summary>
    public event Action? Changed;

    public LivenessView Current => Volatile.Read(ref _current);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task WatchAsync()
    {
        bool isFirst = true;
        try
        {
            await foreach (LivenessView view in _cluster.Liveness.WatchAsync(_stopping.Token).ConfigureAwait(false))
            {
                LivenessView before = Interlocked.Exchange(ref _current, view);
                if (!isFirst)
                    Tell(before, view);
                isFirst = false;
                Changed?.Invoke();
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException && _stopping.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    private void Tell(LivenessView before, LivenessView now)
    {
        foreach (EndpointId id in before.Recorded.Keys.Union(now.Recorded.Keys))
        {
            if (!_cluster.Directory.TryGet(id, out Member? member))
                continue;
            if (now.LostSince(id) is { } since && before.LostSince(id) is null)
                _events.Publish(new NodeLostEvent(member.Node.Name, id.ToString(), since));
            else if (now.Alive.ContainsKey(id) && before.LostSince(id) is not null)
                _events.Publish(new NodeBackEvent(member.Node.Name, id.ToString()));
        }
    }
}
