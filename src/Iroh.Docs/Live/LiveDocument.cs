using System.Threading.Channels;
using Iroh.Base;
using Iroh.Blobs;
using Iroh.Cryptography;
using Iroh.Docs.Store;
using Iroh.Docs.Sync;
using Iroh.Gossip;

namespace Iroh.Docs.Live;

/// <summary>
/// One document among its replicas: takes what gossip brings, tells what happens here, and syncs when <see cref="LiveState"/> says so. Thread-safe.
/// </summary>
internal sealed class LiveDocument : IAsyncDisposable
{
    /// <summary>Messages that wait to be sent, at most. Beyond, entries are not announced one by one: heads tell that there are more.</summary>
    private const int OutgoingMax = 1024;

    private readonly NamespaceId _document;
    private readonly GossipProtocol _gossip;
    private readonly DocumentEngine _engine;
    private readonly DialSync _dial;
    private readonly GossipTopic _topic;
    private readonly Channel<LiveOp> _outgoing = Channel.CreateBounded<LiveOp>(OutgoingMax);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly LiveState _state;
    private readonly Dictionary<EndpointId, Task> _dials = [];
    private readonly RecentContents _recent = new();
    private readonly long _start;
    private readonly ITimer _timer;
    private readonly Task _work;
    private bool _headsAreDue;

    /// <summary>Joins the document's topic.</summary>
    public LiveDocument(
        NamespaceId document, IReadOnlyList<EndpointId> peers, GossipProtocol gossip, DocumentEngine engine, DialSync dial, RandomSource random)
    {
        (_document, _gossip, _engine, _dial) = (document, gossip, engine, dial);
        _start = Time.GetTimestamp();
        _state = new LiveState(TimeSpan.Zero, engine.Options.Live, random);
        _timer = Time.CreateTimer(_ => Decide(state => state.OnTimeout(Now)), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _topic = gossip.Join(TopicId.FromBytes(document.Span), peers, peer => engine.Options.Authorize(peer, document));
        _work = Task.WhenAll(Task.Run(ReceiveAsync), Task.Run(SendAsync));
        Decide(_ => { });
    }

    private TimeProvider Time => _engine.Options.TimeProvider;

    private TimeSpan Now => Time.GetElapsedTime(_start);

    /// <summary>Further peers are known.</summary>
    public void AddPeers(IReadOnlyList<EndpointId> peers) => _topic.AddPeers(peers);

    /// <summary>An entry was made here.</summary>
    public void OnInserted(SignedEntry entry)
    {
        var op = new LiveOp.Put(entry);
        // What gossip cannot carry, neighbors fetch.
        if (op.Encode(_gossip.ContentLengthMax) is null)
            QueueHeads();
        else
            Queue(op);
    }

    /// <summary>A content has arrived.</summary>
    public void OnContentReady(BlobHash content) => Queue(new LiveOp.ContentReady(content));

    /// <summary>A sync has ended that this object did not ask for.</summary>
    public void OnSynced(SyncReport report)
    {
        lock (_lock)
        {
            // Its own dials tell themselves.
            if (report.IsDialled && _dials.ContainsKey(report.Peer))
                return;
        }

        Decide(state => state.OnSynced(Now, report.Peer, isOwnDial: false, EndOf(report), report.Outcome.Stored));
    }

    /// <summary>Leaves the topic and waits for what is under way.</summary>
    public async ValueTask DisposeAsync()
    {
        Task[] dials;
        lock (_lock)
        {
            _stopping.Cancel();
            dials = [.. _dials.Values];
        }

        _outgoing.Writer.TryComplete();
        await _topic.DisposeAsync().ConfigureAwait(false);
        await _timer.DisposeAsync().ConfigureAwait(false);
        await Task.WhenAll(dials).ConfigureAwait(false);
        await _work.ConfigureAwait(false);
    }

    private static SyncEnd EndOf(SyncReport report) => report.Failure switch
    {
        null => report.IsComplete ? SyncEnd.Complete : SyncEnd.Incomplete,
        { Failure: SyncFailure.AlreadySyncing } => SyncEnd.Busy,
        _ => SyncEnd.Failed,
    };

    /// <summary>Gives the state an input, and does what it wants.</summary>
    private void Decide(Action<LiveState> input)
    {
        lock (_lock)
        {
            if (_stopping.IsCancellationRequested)
                return;
            input(_state);
            while (_state.TryGetOutput(out LiveOutput? output))
            {
                if (output is LiveOutput.Dial { Peer: var peer })
                    _dials[peer] = Task.Run(() => DialAsync(peer));
                else
                    QueueHeads();
            }

            TimeSpan due = _state.NextTimeout - Now;
            _timer.Change(due > TimeSpan.FromMilliseconds(1) ? due : TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
        }
    }

    private async Task DialAsync(EndpointId peer)
    {
        SyncReport? report = null;
        try
        {
            report = await _dial(_document, _gossip.AddressOf(peer), _stopping.Token).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is OperationCanceledException or ObjectDisposedException or DocumentMissingException or DocumentStoreException)
        {
            // The document or its endpoint is going, or the disk does not do its part: then the attempt is repeated like any that failed.
        }

        lock (_lock)
            _dials.Remove(peer);
        Decide(state => state.OnSynced(Now, peer, isOwnDial: true, report is null ? SyncEnd.Failed : EndOf(report), report?.Outcome.Stored ?? 0));
    }

    private async Task ReceiveAsync()
    {
        await foreach (GossipEvent gossipEvent in _topic.ReadEventsAsync().ConfigureAwait(false))
        {
            try
            {
                OnGossip(gossipEvent);
            }
            catch (Exception exception) when (exception is DocumentMissingException or DocumentStoreException)
            {
                // An entry that could not be stored comes again with the next sync.
            }
        }
    }

    private void OnGossip(GossipEvent gossipEvent)
    {
        switch (gossipEvent)
        {
            case NeighborUp { Peer: var peer }:
                _engine.Publish(_document, new DocumentEvent.NeighborUp(peer));
                Decide(state => state.OnNeighborUp(peer));
                break;
            case NeighborDown { Peer: var peer }:
                _engine.Publish(_document, new DocumentEvent.NeighborDown(peer));
                Decide(state => state.OnNeighborDown(peer));
                RejoinIfAlone();
                break;
            case MessageReceived received when LiveOp.TryRead(received.Content.Span, out LiveOp? op):
                OnOp(op, received);
                break;
            case EventsLagged:
                CatchUp([.. _topic.Neighbors]);
                break;
        }
    }

    /// <summary>Without a neighbor the topic is joined anew by those that the document was synced with last: whom it was joined by may be long gone.</summary>
    private void RejoinIfAlone()
    {
        if (_topic.Neighbors.Count > 0)
            return;
        try
        {
            _topic.AddPeers(_engine.Store.UsefulPeers(_document));
        }
        catch (ObjectDisposedException)
        {
            // The topic is being left.
        }
    }

    private void OnOp(LiveOp op, MessageReceived received)
    {
        EndpointAddress from = _gossip.AddressOf(received.DeliveredFrom);
        switch (op)
        {
            case LiveOp.Put put:
                // Whoever passes an entry on need not have its content; whoever made it has.
                bool isAuthors = received.Scope == GossipScope.Neighbors || received.Round == 0;
                _engine.InsertRemote(_document, put.Entry, from, isAuthors ? ContentStatus.Complete : ContentStatus.Missing, out _);
                if (_recent.Find(put.Entry.ContentHash) is { } holder)
                    _engine.AddProvider(put.Entry.ContentHash, _gossip.AddressOf(holder));
                break;
            case LiveOp.ContentReady ready:
                _recent.Add(ready.Content, received.DeliveredFrom);
                _engine.AddProvider(ready.Content, from);
                break;
            case LiveOp.Heads heads when heads.Document == _document && heads.Newest.HasNewsFor(_engine.Store.Heads(_document)):
                Decide(state => state.OnNews(received.DeliveredFrom));
                break;
        }
    }

    /// <summary>Events were missed: the neighbors are looked up, and asked for what they told.</summary>
    private void CatchUp(IReadOnlyCollection<EndpointId> neighbors) => Decide(state =>
    {
        foreach (EndpointId gone in state.Neighbors.Except(neighbors).ToArray())
            state.OnNeighborDown(gone);
        foreach (EndpointId neighbor in neighbors)
        {
            state.OnNeighborUp(neighbor);
            state.OnNews(neighbor);
        }
    });

    private void Queue(LiveOp op)
    {
        if (!_outgoing.Writer.TryWrite(op))
            QueueHeads();
    }

    /// <summary>Heads are sent once, however often they become due until then, and as they are then.</summary>
    private void QueueHeads()
    {
        if (Interlocked.Exchange(ref _headsAreDue, true))
            return;
        // Where the queue is full, its reader looks at the flag when it is through.
        _outgoing.Writer.TryWrite(new LiveOp.Heads(_document, AuthorHeads.Empty));
    }

    private async Task SendAsync()
    {
        await foreach (LiveOp op in _outgoing.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            try
            {
                if (op is not LiveOp.Heads && op.Encode(_gossip.ContentLengthMax) is { } message)
                    await SendAsync(message, op is LiveOp.Put ? GossipScope.Swarm : GossipScope.Neighbors).ConfigureAwait(false);
                if ((op is LiveOp.Heads || _outgoing.Reader.Count == 0) && Interlocked.Exchange(ref _headsAreDue, false))
                    await SendAsync(EncodeHeads(), GossipScope.Neighbors).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is ObjectDisposedException or OperationCanceledException or DocumentMissingException or DocumentStoreException)
            {
                // The document or gossip is going; or the disk does not tell the heads, which the next sync does.
            }
        }
    }

    private byte[] EncodeHeads() => new LiveOp.Heads(_document, _engine.Store.Heads(_document)).Encode(_gossip.ContentLengthMax)!;

    private ValueTask SendAsync(byte[] message, GossipScope scope) => scope == GossipScope.Swarm
        ? _topic.BroadcastAsync(message, _stopping.Token)
        : _topic.BroadcastToNeighborsAsync(message, _stopping.Token);
}
