using System.Threading.Channels;
using Iroh.Base;
using Iroh.Quic;

namespace Iroh.Gossip.Links;

/// <summary>
/// The way to one peer: a queue of frames and the connections that there are, of which the newest one sends. It dials when it has been
/// made without a connection. May be used from any thread.
/// </summary>
#pragma warning disable CA1001 // The sources of cancellation have no timers; others may cancel them after the link has ended.
internal sealed class PeerLink
#pragma warning restore CA1001
{
    /// <summary>Connections to one peer, when both ends dial at the same time and again; the oldest goes.</summary>
    public const int ConnectionsMax = 3;

    /// <summary>Frames that wait, at most; a peer that does not keep up with so many is better replaced.</summary>
    private const int QueuedFramesMax = 512;

    /// <summary>Bytes that wait, at most, where messages may be long.</summary>
    private const int QueuedBytesMax = 4 * 1024 * 1024;

    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly Channel<OutgoingFrame> _queue;
    private readonly List<GossipConnection> _connections = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly int _capacity;
    private CancellationTokenSource _switched = new();
    private TaskCompletionSource? _room;
    private long _lastUse;

    public PeerLink(EndpointId peer, int messageSizeMax, TimeProvider time)
    {
        (Peer, _time) = (peer, time);
        _capacity = Math.Clamp(QueuedBytesMax / messageSizeMax, 8, QueuedFramesMax);
        _queue = Channel.CreateBounded<OutgoingFrame>(new BoundedChannelOptions(_capacity) { SingleReader = true });
        Touch();
    }

    public EndpointId Peer { get; }

    /// <summary>The time since something was sent or received.</summary>
    public TimeSpan IdleFor => _time.GetElapsedTime(Volatile.Read(ref _lastUse));

    /// <summary>Something was received.</summary>
    public void Touch() => Volatile.Write(ref _lastUse, _time.GetTimestamp());

    /// <summary>Queues a frame. False if the peer does not keep up, or the link is closing.</summary>
    public bool TrySend(OutgoingFrame frame)
    {
        Touch();
        return _queue.Writer.TryWrite(frame);
    }

    /// <summary>Completes when the queue is not more than half full.</summary>
    public Task WaitForRoomAsync()
    {
        lock (_lock)
        {
            if (_queue.Reader.Count <= _capacity / 2 || _stopping.IsCancellationRequested)
                return Task.CompletedTask;
            _room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _room.Task;
        }
    }

    /// <summary>Makes a connection the one that sends; the one before still receives.</summary>
    public void Use(GossipConnection connection)
    {
        CancellationTokenSource switched;
        lock (_lock)
        {
            if (_stopping.IsCancellationRequested)
            {
                // The link has just ended: the peer dials again.
                connection.Abort();
                return;
            }

            _connections.Add(connection);
            if (_connections.Count > ConnectionsMax)
            {
                _connections[0].Abort();
                _connections.RemoveAt(0);
            }

            switched = _switched;
            _switched = new CancellationTokenSource();
        }

        switched.Cancel();
    }

    /// <summary>A connection has ended. True if it was the one that sends.</summary>
    public bool Forget(GossipConnection connection)
    {
        lock (_lock)
        {
            bool wasSending = _connections.Count > 0 && _connections[^1] == connection;
            _connections.Remove(connection);
            return wasSending;
        }
    }

    /// <summary>Closes connections that neither end sends on any more.</summary>
    public void CloseUnused()
    {
        lock (_lock)
        {
            foreach (GossipConnection connection in _connections.SkipLast(1).Where(connection => connection.OpenReceiveStreams == 0))
                connection.Abort();
        }
    }

    /// <summary>Takes no more frames; <see cref="RunAsync"/> sends those that wait, closes the connections and ends.</summary>
    public void CompleteQueue() => _queue.Writer.TryComplete();

    /// <summary>Gives everything up.</summary>
    public void Abort()
    {
        // In this order: a queue that is completed first would look like a link that this end closes.
        _stopping.Cancel();
        _queue.Writer.TryComplete();
    }

    /// <summary>Sends what is queued, until the queue is completed or the way is lost.</summary>
    /// <param name="dial">How to get a first connection; null if there is one.</param>
    /// <returns>Whether the way was lost; false if it was closed by this end.</returns>
    public async Task<bool> RunAsync(Func<CancellationToken, Task>? dial)
    {
        try
        {
            if (dial is not null)
                await DialAsync(dial).ConfigureAwait(false);
            await SendAllAsync().ConfigureAwait(false);
            _stopping.Token.ThrowIfCancellationRequested();
            GossipConnection[] connections = TakeConnections();
            await Task.WhenAll(connections.Select(connection => connection.CloseAsync(_time))).WaitAsync(_stopping.Token).ConfigureAwait(false);
            return false;
        }
        catch (Exception exception) when (exception is QuicException or IrohConnectException or OperationCanceledException or ObjectDisposedException)
        {
            // The last is the endpoint, closed before gossip was.
            return true;
        }
        finally
        {
            Abort();
            foreach (GossipConnection connection in TakeConnections())
                connection.Abort();
            lock (_lock)
                _room?.TrySetResult();
        }
    }

    /// <summary>
    /// Dials, and waits for that or for the peer, who may be sooner. Its connection is used then, but the dial goes on: where both ends gave theirs
    /// up for the other's, none would be left.
    /// </summary>
    private async Task DialAsync(Func<CancellationToken, Task> dial)
    {
        var accepted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using CancellationTokenRegistration registration = SwitchToken().Register(() => accepted.TrySetResult());
        Task dialling = dial(_stopping.Token);
        await Task.WhenAny(dialling, accepted.Task).ConfigureAwait(false);
        if (!HasConnection())
            await dialling.ConfigureAwait(false);
        else
            _ = dialling.ContinueWith(
                failed => _ = failed.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }

    private async Task SendAllAsync()
    {
        GossipConnection? used = null;
        OutgoingFrame? frame = null;
        while (true)
        {
            (GossipConnection? connection, CancellationToken switched) = Current();
            if (connection is null)
                throw new OperationCanceledException("The connection is lost.");
            if (used is not null && used != connection)
                used.FinishSending();
            used = connection;
            using var either = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token, switched);
            try
            {
                if (frame is null)
                {
                    if (!await _queue.Reader.WaitToReadAsync(either.Token).ConfigureAwait(false))
                        return;
                    frame = await _queue.Reader.ReadAsync(either.Token).ConfigureAwait(false);
                }

                await connection.SendAsync(frame.Value, either.Token).ConfigureAwait(false);
                frame = null;
                SignalRoom();
            }
            catch (OperationCanceledException) when (switched.IsCancellationRequested && !_stopping.IsCancellationRequested)
            {
                // A frame that was cut goes again on the new connection; the stream where it was cut is reset.
            }
        }
    }

    private void SignalRoom()
    {
        lock (_lock)
        {
            if (_room is null || _queue.Reader.Count > _capacity / 2)
                return;
            _room.SetResult();
            _room = null;
        }
    }

    private (GossipConnection? Connection, CancellationToken Switched) Current()
    {
        lock (_lock)
            return (_connections.Count == 0 ? null : _connections[^1], _switched.Token);
    }

    private CancellationToken SwitchToken()
    {
        lock (_lock)
            return _switched.Token;
    }

    private bool HasConnection()
    {
        lock (_lock)
            return _connections.Count > 0;
    }

    private GossipConnection[] TakeConnections()
    {
        lock (_lock)
        {
            GossipConnection[] connections = [.. _connections];
            _connections.Clear();
            return connections;
        }
    }
}
