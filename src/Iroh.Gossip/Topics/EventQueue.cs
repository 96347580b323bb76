using System.Runtime.CompilerServices;

namespace Iroh.Gossip.Topics;

/// <summary>Events on their way to a reader, who may be slow: then some are dropped, and it is told how many. May be used from any thread.</summary>
/// <param name="capacity">How many wait, at most.</param>
internal sealed class EventQueue(int capacity)
{
    private readonly Lock _lock = new();
    private readonly Queue<GossipEvent> _events = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _missed;
    private bool _isComplete;
    private bool _hasReader;

    /// <summary>Adds an event, or counts it as missed. Never waits.</summary>
    public void Add(GossipEvent gossipEvent)
    {
        lock (_lock)
        {
            if (_isComplete)
                return;
            if (_events.Count >= capacity)
            {
                _missed++;
                return;
            }

            TellMissed();
            _events.Enqueue(gossipEvent);
            _changed.TrySetResult();
        }
    }

    /// <summary>There are no more events; those that wait can still be read.</summary>
    public void Complete()
    {
        lock (_lock)
        {
            _isComplete = true;
            _changed.TrySetResult();
        }
    }

    /// <summary>The events in their order, until <see cref="Complete"/>.</summary>
    /// <exception cref="InvalidOperationException">Somebody else reads.</exception>
    public async IAsyncEnumerable<GossipEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _hasReader, true))
            throw new InvalidOperationException("The events of this topic are read by somebody else; join the topic once more for a second reader.");
        try
        {
            while (true)
            {
                (GossipEvent? next, Task changed, bool isComplete) = Take();
                if (next is not null)
                    yield return next;
                else if (isComplete)
                    yield break;
                else
                    await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            Volatile.Write(ref _hasReader, false);
        }
    }

    private (GossipEvent? Next, Task Changed, bool IsComplete) Take()
    {
        lock (_lock)
        {
            if (_events.Count == 0)
                TellMissed();
            if (_events.TryDequeue(out GossipEvent? next))
                return (next, _changed.Task, false);
            if (_changed.Task.IsCompleted && !_isComplete)
                _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return (null, _changed.Task, _isComplete);
        }
    }

    private void TellMissed()
    {
        if (_missed == 0)
            return;
        _events.Enqueue(new EventsLagged(_missed));
        _missed = 0;
    }
}
