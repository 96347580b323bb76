using Iroh.Base;
using Iroh.Gossip.Links;
using Iroh.Gossip.Messages;
using Iroh.Protocols;

namespace Iroh.Gossip;

/// <summary>
/// Broadcast among endpoints that share a topic, wire-compatible with iroh-gossip 0.90 and later. Register it with a
/// <see cref="ProtocolRouter"/> under <see cref="ApplicationProtocol"/>. All members may be used from any thread.
/// </summary>
public sealed class GossipProtocol : IProtocolHandler, IAsyncDisposable
{
    /// <summary>What is spoken (ALPN).</summary>
    public const string ApplicationProtocol = "/iroh-gossip/1";

    // Peers that are connected or dialled at a time: far more than views of many topics need, far fewer than would exhaust a machine.
    private const int LinksMax = 1024;

    private const ulong TooManyCode = 2;

    // A connection that no topic needs is kept so long: answers may still come on it.
    private static readonly TimeSpan s_sweepInterval = TimeSpan.FromSeconds(30);

    // A farewell takes a round trip; one that takes longer may be from a peer that is gone.
    private static readonly TimeSpan s_farewellPatience = TimeSpan.FromSeconds(1);

    // A broadcast waits so long for neighbors that do not keep up; then they are left behind.
    private static readonly TimeSpan s_roomPatience = TimeSpan.FromSeconds(2);

    private readonly IrohEndpoint _endpoint;
    private readonly GossipOptions _options;
    private readonly Lock _lock = new();
    private readonly GossipState _state;
    private readonly LearnedAddresses _learned = new();
    private readonly Dictionary<EndpointId, PeerLink> _links = [];
    private readonly Dictionary<PeerLink, Task> _running = [];
    private readonly Dictionary<TopicId, List<GossipTopic>> _topics = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly long _start;
    private readonly ITimer _timer;
    private readonly ITimer _sweeper;
    private readonly Task _watching;
    private readonly Lazy<Task> _disposal;

    /// <summary>Starts without a topic.</summary>
    /// <param name="endpoint">Dials, and stays the caller's.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public GossipProtocol(IrohEndpoint endpoint, GossipOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        _endpoint = endpoint;
        _options = options ?? new GossipOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.EventQueueCapacity, 1);
        _state = new GossipState(endpoint.Id, _options.Configuration, _options.Random, Admits);
        _state.SetOwnData(PeerAddresses.Encode(endpoint.Address));
        _start = Time.GetTimestamp();
        _timer = Time.CreateTimer(_ => OnTimer(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _sweeper = Time.CreateTimer(_ => Sweep(), null, s_sweepInterval, s_sweepInterval);
        _disposal = new Lazy<Task>(StopAsync);
        _watching = Task.Run(WatchOwnAddressAsync);
    }

    /// <summary>The longest content of a message, in bytes.</summary>
    public int ContentLengthMax => _options.Configuration.ContentLengthMax;

    private TimeProvider Time => _options.TimeProvider;

    private TimeSpan Now => Time.GetElapsedTime(_start);

    /// <summary>
    /// Takes a place in a topic and returns at once; <see cref="GossipTopic.WaitJoinedAsync"/> tells when there is a neighbor. Peers that cannot
    /// be reached now are tried again for as long as there is no neighbor.
    /// </summary>
    /// <param name="topic">Which topic.</param>
    /// <param name="bootstrap">Some members. None: then others come, or nobody does.</param>
    /// <param name="admits">
    /// Whom to talk to in the topic; null for everybody. Asked again for every message, also about neighbors: whoever may no longer is sent away with the
    /// next one. Called on any thread; must be quick and not call gossip. Where several places ask, all must agree.
    /// </param>
    /// <exception cref="ObjectDisposedException">Gossip has stopped.</exception>
    public GossipTopic Join(TopicId topic, IEnumerable<EndpointId> bootstrap, Func<EndpointId, bool>? admits = null)
    {
        ArgumentNullException.ThrowIfNull(bootstrap);
        var place = new GossipTopic(this, topic, admits, _options.EventQueueCapacity);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_stopping.IsCancellationRequested, this);
            if (!_topics.TryGetValue(topic, out List<GossipTopic>? places))
                _topics.Add(topic, places = []);
            foreach (EndpointId neighbor in _state.Neighbors(topic))
                place.OnEvent(new NeighborUp(neighbor));
            places.Add(place);
            _state.Join(Now, topic, bootstrap);
            Settle();
        }

        return place;
    }

    /// <summary>
    /// Tells where a peer is, for dialling it, beside what the endpoint's look-ups find. What peers tell of each other is learnt by itself.
    /// </summary>
    public void AddAddress(EndpointAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        lock (_lock)
            _learned.Set(address);
    }

    /// <summary>Where a peer is, as it or others said last; its bare id if nobody did. For dialling it in another protocol.</summary>
    public EndpointAddress AddressOf(EndpointId peer)
    {
        lock (_lock)
            return _learned.Find(peer);
    }

    /// <inheritdoc/>
    public async Task AcceptAsync(IrohConnection connection, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(connection);
        var accepted = new GossipConnection(connection, _options.Configuration.MessageSizeMax);
        PeerLink? link;
        lock (_lock)
        {
            link = _stopping.IsCancellationRequested ? null : FindOrAdd(connection.RemoteId, dials: false, accepted);
        }

        if (link is null)
        {
            await connection.CloseAsync(TooManyCode, "no room for another gossip peer").ConfigureAwait(false);
            return;
        }

        await ServeAsync(link, accepted, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Leaves every topic, tells the neighbors, and closes the connections, waiting some seconds for that. The endpoint stays open.</summary>
    public ValueTask DisposeAsync() => new(_disposal.Value);

    internal IReadOnlyCollection<EndpointId> NeighborsOf(TopicId topic)
    {
        lock (_lock)
            return _state.Neighbors(topic);
    }

    internal async ValueTask BroadcastAsync(GossipTopic place, ReadOnlyMemory<byte> content, GossipScope scope, CancellationToken cancellationToken)
    {
        if (content.Length <= ContentLengthMax)
            await WaitForRoomAsync(place.Topic, cancellationToken).ConfigureAwait(false);
        lock (_lock)
        {
            ThrowIfLeft(place);
            _state.Broadcast(Now, place.Topic, content.ToArray(), scope);
            Settle();
        }
    }

    internal void AddPeers(GossipTopic place, IEnumerable<EndpointId> peers)
    {
        EndpointId[] asked = [.. peers];
        lock (_lock)
        {
            ThrowIfLeft(place);
            _state.Join(Now, place.Topic, asked);
            Settle();
        }
    }

    internal void Leave(GossipTopic place)
    {
        lock (_lock)
        {
            if (!_topics.TryGetValue(place.Topic, out List<GossipTopic>? places) || !places.Remove(place))
                return;
            if (places.Count == 0)
            {
                _topics.Remove(place.Topic);
                _state.Quit(place.Topic);
                Settle();
            }
        }

        place.OnLeft();
    }

    /// <summary>Whether a peer may take part in a topic. Under the lock.</summary>
    private bool Admits(TopicId topic, EndpointId peer) =>
        !_topics.TryGetValue(topic, out List<GossipTopic>? places) || places.TrueForAll(place => place.Admits(peer));

    private void ThrowIfLeft(GossipTopic place) =>
        ObjectDisposedException.ThrowIf(!_topics.TryGetValue(place.Topic, out List<GossipTopic>? places) || !places.Contains(place), place);

    private async Task WaitForRoomAsync(TopicId topic, CancellationToken cancellationToken)
    {
        Task[] full;
        lock (_lock)
        {
            full =
            [
                .. _state.EagerNeighbors(topic).Select(_links.GetValueOrDefault).OfType<PeerLink>()
                    .Select(link => link.WaitForRoomAsync()).Where(room => !room.IsCompleted),
            ];
        }

        if (full.Length == 0)
            return;
        try
        {
            await Task.WhenAll(full).WaitAsync(s_roomPatience, Time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
        }
    }

    /// <summary>Does what the state wants, and sets the timer. Under the lock.</summary>
    private void Settle()
    {
        while (_state.TryGetOutput(out GossipOutput? output))
        {
            switch (output)
            {
                case SendMessage send:
                    Send(send);
                    break;
                case ClosePeer close when _links.Remove(close.Peer, out PeerLink? link):
                    link.CompleteQueue();
                    break;
                case LearnPeerData learn when PeerAddresses.TryDecode(learn.Peer, learn.Data, out EndpointAddress? address):
                    _learned.Set(address);
                    break;
                case RaiseEvent raised when _topics.TryGetValue(raised.Topic, out List<GossipTopic>? places):
                    foreach (GossipTopic place in places)
                        place.OnEvent(raised.Event);
                    break;
            }
        }

        if (_stopping.IsCancellationRequested)
            return;
        TimeSpan due = _state.NextTimeout is { } next ? TimeSpan.FromTicks(Math.Max((next - Now).Ticks, TimeSpan.TicksPerMillisecond)) : Timeout.InfiniteTimeSpan;
        _timer.Change(due, Timeout.InfiniteTimeSpan);
    }

    private void Send(SendMessage send)
    {
        var frame = new OutgoingFrame(send.Topic, TopicMessageCodec.Encode(send.Message), send.Message is DisconnectMessage);
        // What others say is bounded by their frames, but not what it becomes on its way here: a frame that is too long would end the peer's stream.
        if (frame.Body.Length >= _options.Configuration.MessageSizeMax)
            return;
        PeerLink? link = FindOrAdd(send.Peer, dials: true, accepted: null);
        if (link is not null && link.TrySend(frame))
            return;
        if (link is not null && _links.Remove(send.Peer))
            link.Abort();
        _state.OnPeerDisconnected(Now, send.Peer);
    }

    /// <summary>The way to a peer; a new one where there is none. Null where there are too many. Under the lock.</summary>
    private PeerLink? FindOrAdd(EndpointId peer, bool dials, GossipConnection? accepted)
    {
        if (_links.TryGetValue(peer, out PeerLink? link))
        {
            if (accepted is not null)
                link.Use(accepted);
            return link;
        }

        if (_running.Count >= LinksMax)
            return null;
        link = new PeerLink(peer, _options.Configuration.MessageSizeMax, Time);
        if (accepted is not null)
            link.Use(accepted);
        _links.Add(peer, link);
        EndpointAddress address = _learned.Find(peer);
        PeerLink added = link;
        Task before = Task.WhenAll(_running.Where(running => running.Key.Peer == peer).Select(running => running.Value));
        // Not under the lock: the task takes it itself.
        _running.Add(link, Task.Run(() => RunAsync(added, dials ? cancellationToken => DialAsync(added, address, before, cancellationToken) : null)));
        return link;
    }

    private async Task RunAsync(PeerLink link, Func<CancellationToken, Task>? dial)
    {
        bool isLost = await link.RunAsync(dial).ConfigureAwait(false);
        lock (_lock)
        {
            _running.Remove(link);
            if (_links.GetValueOrDefault(link.Peer) != link)
                return;
            _links.Remove(link.Peer);
            if (isLost)
            {
                _state.OnPeerDisconnected(Now, link.Peer);
                Settle();
            }
        }
    }

    private async Task DialAsync(PeerLink link, EndpointAddress address, Task before, CancellationToken cancellationToken)
    {
        // A farewell on the connection before must not overtake what is said on the new one.
        await Task.WhenAny(before, Task.Delay(s_farewellPatience, Time, cancellationToken)).ConfigureAwait(false);
        IrohConnection connection = await _endpoint.ConnectAsync(address, ApplicationProtocol, cancellationToken).ConfigureAwait(false);
        var dialled = new GossipConnection(connection, _options.Configuration.MessageSizeMax);
        link.Use(dialled);
        _ = ServeDialledAsync();

        async Task ServeDialledAsync()
        {
            await using (connection)
                await ServeAsync(link, dialled, _stopping.Token).ConfigureAwait(false);
        }
    }

    /// <summary>Takes what comes on a connection until it ends.</summary>
    private async Task ServeAsync(PeerLink link, GossipConnection connection, CancellationToken cancellationToken)
    {
        await connection.ReceiveAsync((topic, message) => OnMessage(link, topic, message), cancellationToken).ConfigureAwait(false);
        // The one that sends is lost, and with it what was queued: the protocol makes good for that over others.
        if (link.Forget(connection))
            link.Abort();
    }

    private void OnMessage(PeerLink link, TopicId topic, TopicMessage message)
    {
        link.Touch();
        lock (_lock)
        {
            if (_stopping.IsCancellationRequested)
                return;
            _state.OnMessage(Now, link.Peer, topic, message);
            Settle();
        }
    }

    private void OnTimer()
    {
        lock (_lock)
        {
            if (_stopping.IsCancellationRequested)
                return;
            _state.OnTimeout(Now);
            Settle();
        }
    }

    private void Sweep()
    {
        lock (_lock)
        {
            foreach (PeerLink link in _links.Values.ToArray())
            {
                link.CloseUnused();
                if (link.IdleFor < s_sweepInterval || _state.Needs(link.Peer))
                    continue;
                _links.Remove(link.Peer);
                link.CompleteQueue();
            }
        }
    }

    private async Task WatchOwnAddressAsync()
    {
        try
        {
            await foreach (EndpointAddress address in _endpoint.WatchAddressAsync(_stopping.Token).ConfigureAwait(false))
            {
                lock (_lock)
                    _state.SetOwnData(PeerAddresses.Encode(address));
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task StopAsync()
    {
        Task[] closing;
        GossipTopic[] places;
        lock (_lock)
        {
            places = [.. _topics.Values.SelectMany(joined => joined)];
            _topics.Clear();
            foreach (TopicId topic in _state.Topics.ToArray())
                _state.Quit(topic);
            Settle();
            foreach (PeerLink link in _links.Values)
                link.CompleteQueue();
            _links.Clear();
            closing = [.. _running.Values];
        }

        foreach (GossipTopic place in places)
            place.OnLeft();
        await CloseLinksAsync(closing).ConfigureAwait(false);
        await _timer.DisposeAsync().ConfigureAwait(false);
        await _sweeper.DisposeAsync().ConfigureAwait(false);
        await _watching.ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task CloseLinksAsync(Task[] closing)
    {
        Task all = Task.WhenAll(closing);
        // Farewells are sent meanwhile; those that are still being dialled for one are not waited for.
        await Task.WhenAny(all, Task.Delay(TimeSpan.FromSeconds(2), Time)).ConfigureAwait(false);
        lock (_lock)
        {
            _stopping.Cancel();
            foreach (PeerLink link in _running.Keys)
                link.Abort();
        }

        await all.ConfigureAwait(false);
    }
}
