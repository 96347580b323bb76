using Iroh.Base;
using Iroh.Gossip.Topics;

namespace Iroh.Gossip;

/// <summary>
/// A place in a topic: what is sent goes to its other members, what they send comes as events. The topic is left when the last place that
/// this node has in it is disposed. All members may be used from any thread; events have one reader at a time.
/// </summary>
public sealed class GossipTopic : IAsyncDisposable
{
    private readonly GossipProtocol _protocol;
    private readonly TaskCompletionSource _joined = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly EventQueue _events;
    private readonly Func<EndpointId, bool>? _admits;

    internal GossipTopic(GossipProtocol protocol, TopicId topic, Func<EndpointId, bool>? admits, int eventCapacity)
    {
        (_protocol, Topic, _admits) = (protocol, topic, admits);
        _events = new EventQueue(eventCapacity);
    }

    /// <summary>Which topic.</summary>
    public TopicId Topic { get; }

    /// <summary>The peers that messages are exchanged with now: a few of all members.</summary>
    public IReadOnlyCollection<EndpointId> Neighbors => _protocol.NeighborsOf(Topic);

    /// <summary>Completes when there has been a first neighbor.</summary>
    /// <exception cref="ObjectDisposedException">The place was disposed before.</exception>
    public Task WaitJoinedAsync(CancellationToken cancellationToken = default) => _joined.Task.WaitAsync(cancellationToken);

    /// <summary>
    /// Sends a message to every member. Waits for a moment where neighbors do not keep up. Content that was sent by anybody within the last
    /// 90 seconds is taken for the same message and not sent again.
    /// </summary>
    /// <param name="content">At most <see cref="GossipConfiguration.ContentLengthMax"/> bytes; the caller's again on return.</param>
    /// <param name="cancellationToken">Ends the wait; nothing is sent then.</param>
    /// <exception cref="ArgumentException">The content is too long.</exception>
    /// <exception cref="ObjectDisposedException">The place was given up.</exception>
    public ValueTask BroadcastAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default) =>
        _protocol.BroadcastAsync(this, content, GossipScope.Swarm, cancellationToken);

    /// <summary>
    /// Sends a message to the neighbors, and to nobody else. What is sent more than once comes more than once.
    /// </summary>
    /// <inheritdoc cref="BroadcastAsync"/>
    public ValueTask BroadcastToNeighborsAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default) =>
        _protocol.BroadcastAsync(this, content, GossipScope.Neighbors, cancellationToken);

    /// <summary>Asks more members to become neighbors.</summary>
    public void AddPeers(IEnumerable<EndpointId> peers) => _protocol.AddPeers(this, peers);

    /// <summary>
    /// What happened since the place was taken, beginning with a <see cref="NeighborUp"/> for each neighbor that there was; ends when the place
    /// is given up. Whoever is slow misses events and is told so.
    /// </summary>
    /// <param name="cancellationToken">Ends the reading; events wait for the next reader.</param>
    /// <exception cref="InvalidOperationException">Somebody else reads.</exception>
    public IAsyncEnumerable<GossipEvent> ReadEventsAsync(CancellationToken cancellationToken = default) => _events.ReadAsync(cancellationToken);

    /// <summary>Gives the place up.</summary>
    public ValueTask DisposeAsync()
    {
        _protocol.Leave(this);
        return ValueTask.CompletedTask;
    }

    internal bool Admits(EndpointId peer) => _admits is null || _admits(peer);

    internal void OnEvent(GossipEvent gossipEvent)
    {
        if (gossipEvent is NeighborUp)
            _joined.TrySetResult();
        _events.Add(gossipEvent);
    }

    internal void OnLeft()
    {
        _joined.TrySetException(new ObjectDisposedException(nameof(GossipTopic)));
        _ = _joined.Task.Exception;
        _events.Complete();
    }
}
