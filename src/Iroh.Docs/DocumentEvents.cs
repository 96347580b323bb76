using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Iroh.Docs;

/// <summary>Passes a document's events on to its subscribers. Thread-safe.</summary>
internal sealed class DocumentEvents
{
    /// <summary>What a subscriber may be behind: a sync of a few thousand entries arrives at once.</summary>
    private const int QueueMax = 4096;

    private readonly ConcurrentDictionary<Subscriber, byte> _subscribers = [];

    /// <summary>Tells everybody; never waits.</summary>
    internal void Publish(DocumentEvent what)
    {
        foreach (Subscriber subscriber in _subscribers.Keys)
            subscriber.Offer(what);
    }

    /// <summary>Ends all subscriptions.</summary>
    internal void Complete()
    {
        foreach (Subscriber subscriber in _subscribers.Keys)
            subscriber.Complete();
    }

    /// <summary>Subscribes at once; the events are read from the result.</summary>
    internal IAsyncEnumerable<DocumentEvent> Subscribe(CancellationToken cancellationToken)
    {
        var subscriber = new Subscriber();
        _subscribers[subscriber] = 0;
        return ReadAsync(subscriber, cancellationToken);
    }

    private async IAsyncEnumerable<DocumentEvent> ReadAsync(Subscriber subscriber, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        try
        {
            await foreach (DocumentEvent what in subscriber.ReadAsync(cancellationToken).ConfigureAwait(false))
                yield return what;
        }
        finally
        {
            _subscribers.TryRemove(subscriber, out _);
        }
    }

    private sealed class Subscriber
    {
        private readonly Channel<DocumentEvent> _queue = Channel.CreateBounded<DocumentEvent>(
            new BoundedChannelOptions(QueueMax) { SingleReader = true });

        private long _missed;

        internal void Offer(DocumentEvent what)
        {
            if (!_queue.Writer.TryWrite(what))
                Interlocked.Increment(ref _missed);
        }

        internal void Complete() => _queue.Writer.TryComplete();

        internal async IAsyncEnumerable<DocumentEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await foreach (DocumentEvent what in _queue.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                yield return what;
                if (Volatile.Read(ref _missed) != 0 && Interlocked.Exchange(ref _missed, 0) is var missed and > 0)
                    yield return new DocumentEvent.Lagged(missed);
            }
        }
    }
}
