using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Blixard.Node.Events;

/// <summary>Gives each event to everybody who watches. Thread-safe.</summary>
internal sealed class NodeEventHub
{
    // A watcher that falls behind by more loses the oldest: a terminal that is held must not hold the node's memory.
    private const int BacklogMax = 1024;

    private readonly ConcurrentDictionary<Channel<NodeEvent>, bool> _watchers = new();
    private readonly Lock _lock = new();
    private ReadyEvent? _ready;
    private bool _isComplete;

    public void Publish(NodeEvent item)
    {
        lock (_lock)
        {
            if (item is ReadyEvent ready)
                _ready = ready;
            foreach (Channel<NodeEvent> watcher in _watchers.Keys)
                watcher.Writer.TryWrite(item);
        }
    }

    /// <summary>No more events come: watchers end.</summary>
    public void Complete()
    {
        lock (_lock)
        {
            _isComplete = true;
            foreach (Channel<NodeEvent> watcher in _watchers.Keys)
                watcher.Writer.TryComplete();
        }
    }

    /// <summary>The ready event, if it has come, and what follows. Watching begins with this call, not with the enumeration.</summary>
    public IAsyncEnumerable<NodeEvent> Watch(CancellationToken cancellationToken)
    {
        var channel = Channel.CreateBounded<NodeEvent>(new BoundedChannelOptions(BacklogMax) { FullMode = BoundedChannelFullMode.DropOldest });
        lock (_lock)
        {
            if (_ready is { } ready)
                channel.Writer.TryWrite(ready);
            if (_isComplete)
                channel.Writer.TryComplete();
            else
                _watchers.TryAdd(channel, true);
        }

        return ReadAsync(channel, cancellationToken);
    }

    private async IAsyncEnumerable<NodeEvent> ReadAsync(Channel<NodeEvent> channel, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        try
        {
            await foreach (NodeEvent item in channel.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
                yield return item;
        }
        finally
        {
            _watchers.TryRemove(channel, out _);
        }
    }
}
