using System.Net;
using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Protocol;

namespace Iroh.Relay.Client;

/// <summary>
/// Keeps one relay for as long as it is wanted: dials it, pings it, dials again. What it does when is decided by
/// <see cref="RelaySession"/>; this is its clock, its network and its queue. Thread-safe.
/// </summary>
public sealed class RelayClient : IAsyncDisposable
{
    // The end of a connection is a matter of milliseconds; only a bug waits longer, and must not hang whoever disposes.
    private static readonly TimeSpan s_disposePatience = TimeSpan.FromSeconds(5);

    private readonly RelayClientOptions _options;
    private readonly IRelayReceiver _receiver;
    private readonly RelayMetrics _metrics;
    private readonly bool _ownsMetrics;
    private readonly RelaySession _session;
    private readonly RelaySendQueue _queue = new();
    private readonly ITimer _timer;
    private readonly long _origin;
    private readonly CancellationTokenSource _stop = new();
    // Guards what follows and the session. Nothing is called, and nothing waits, inside.
    private readonly Lock _lock = new();
    private readonly HashSet<Task> _tasks = [];
    private CancellationTokenSource? _attemptStop;
    private RelayConnection? _connection;
    private Instant _timerAt = Instant.Never;
    private bool _isActing;
    private bool _isDisposed;

    /// <summary>Starts dialling.</summary>
    /// <param name="options">Whom and how.</param>
    /// <param name="receiver">Takes what comes.</param>
    /// <exception cref="ArgumentException">An option is unusable.</exception>
    public RelayClient(RelayClientOptions options, IRelayReceiver receiver)
        : this(options, receiver, metrics: null)
    {
    }

    internal RelayClient(RelayClientOptions options, IRelayReceiver receiver, RelayMetrics? metrics)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(receiver);
        options.Validate();
        _options = options;
        _receiver = receiver;
        _ownsMetrics = metrics is null;
        _metrics = metrics ?? new RelayMetrics(factory: null);
        _session = new RelaySession(options.Random ?? OperatingSystemRandomSource.Instance, options.ConnectTimeout);
        _origin = options.TimeProvider.GetTimestamp();
        _timer = options.TimeProvider.CreateTimer(
            static client => ((RelayClient)client!).HandleTimeout(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Act(static (session, now, _) => session.Start(now), 0);
    }

    /// <summary>The relay.</summary>
    public RelayUrl Url => _options.Url;

    /// <summary>How it stands.</summary>
    public RelayState State
    {
        get
        {
            lock (_lock)
                return _session.State;
        }
    }

    /// <summary>All that is known at this moment.</summary>
    public RelayClientStatus Status
    {
        get
        {
            lock (_lock)
            {
                bool isConnected = _session.State == RelayState.Connected;
                return new RelayClientStatus
                {
                    Url = Url,
                    State = _session.State,
                    LastError = _session.LastError,
                    Health = _session.Health,
                    HealthText = _session.HealthText,
                    RoundTripTime = _session.RoundTripTime,
                    Silence = isConnected ? Now - _session.LastReceived : null,
                    Version = isConnected ? _connection?.Version : null,
                    LocalEndPoint = isConnected ? _connection?.LocalEndPoint : null,
                    RemoteEndPoint = isConnected ? _connection?.RemoteEndPoint : null,
                };
            }
        }
    }

    /// <summary>What went over this relay; of all relays if the client belongs to a pool.</summary>
    public RelayStatistics Statistics => _metrics.Statistics;

    /// <summary>Whether datagrams go out at once.</summary>
    internal bool IsConnected => Volatile.Read(ref _connection) is not null;

    /// <summary>Whether a connection is there and nothing is expected from it: a test's clock may move on.</summary>
    internal bool IsAtRest
    {
        get
        {
            lock (_lock)
                return _session.IsAtRest;
        }
    }

    private Instant Now => new(_options.TimeProvider.GetElapsedTime(_origin).Ticks * 100);

    /// <summary>
    /// Queues datagrams for a peer. Never blocks. Without a connection they wait for at most 3 s; the relay drops silently what is for
    /// somebody it does not know.
    /// </summary>
    /// <param name="to">The peer.</param>
    /// <param name="ecn">Their ECN bits, which the relay passes on.</param>
    /// <param name="payload">One datagram, or several of <paramref name="segmentSize"/> bytes each of which the last may be shorter.</param>
    /// <param name="segmentSize">Bytes of each datagram but the last; 0 or the payload's length for a single one.</param>
    /// <returns>False if some were dropped because too many wait, or because one is too large for a relay.</returns>
    public bool TrySend(EndpointId to, EcnCodepoint ecn, ReadOnlySpan<byte> payload, int segmentSize)
    {
        bool isBatch = segmentSize > 0 && segmentSize < payload.Length;
        int frameMax = isBatch ? RelayFrame.PayloadLengthMax / segmentSize * segmentSize : RelayFrame.PayloadLengthMax;
        if (payload.IsEmpty)
            return true;
        while (!payload.IsEmpty)
        {
            int length = Math.Min(payload.Length, frameMax);
            bool fits = length > 0 && (isBatch || length == payload.Length);
            ushort frameSegment = isBatch && length > segmentSize ? (ushort)segmentSize : (ushort)0;
            if (!fits || !_queue.TryAppend(to, ecn, payload[..length], frameSegment))
            {
                _metrics.OnQueueFull(isBatch ? (payload.Length + segmentSize - 1) / segmentSize : 1);
                return false;
            }

            _metrics.OnQueued(length);
            payload = payload[length..];
        }

        if (!IsConnected)
            Act(static (session, now, _) => session.OnQueued(now), 0);
        return true;
    }

    /// <summary>
    /// The machine's network changed: asks the relay for a sign of life, and dials at once if a pause is under way or the address of
    /// this end of the connection is gone.
    /// </summary>
    /// <param name="isLocalAddress">Whether the machine still has an address; null: it is not known.</param>
    public void OnNetworkChange(Func<IPAddress, bool>? isLocalAddress = null)
    {
        IPAddress? local = Volatile.Read(ref _connection)?.LocalEndPoint?.Address;
        bool isGone = local is not null && isLocalAddress?.Invoke(local.IsIPv4MappedToIPv6 ? local.MapToIPv4() : local) == false;
        Act(static (session, now, isGone) => session.OnNetworkChange(now, isGone), isGone);
    }

    /// <summary>Says goodbye to the relay and waits until nothing is called any more.</summary>
    public async ValueTask DisposeAsync()
    {
        Task[] tasks;
        lock (_lock)
        {
            if (_isDisposed)
                return;
            _isDisposed = true;
        }

        Act(static (session, _, _) => session.Close(), 0);
        await _timer.DisposeAsync().ConfigureAwait(false);
        await _stop.CancelAsync().ConfigureAwait(false);
        lock (_lock)
            tasks = [.. _tasks];
        try
        {
            await Task.WhenAll(tasks).WaitAsync(s_disposePatience).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // A dial that does not stop is left to itself; it holds nothing that is shared.
        }

        _queue.Dispose();
        _stop.Dispose();
        if (_ownsMetrics)
            _metrics.Dispose();
    }

    private void HandleTimeout()
    {
        lock (_lock)
            _timerAt = Instant.Never;
        Act(static (session, now, _) => session.HandleTimeout(now), 0);
    }

    // Tells the session something and does what it wants. One thread at a time acts, so that actions keep their order; what others tell
    // meanwhile is acted on by that one.
    private void Act<T>(Action<RelaySession, Instant, T> tell, T argument)
    {
        lock (_lock)
        {
            tell(_session, Now, argument);
            if (_isActing)
                return;
            _isActing = true;
        }

        while (true)
        {
            RelayAction action;
            lock (_lock)
            {
                if (!_session.TryGetAction(out action))
                {
                    _isActing = false;
                    SetTimer();
                    return;
                }
            }

            try
            {
                Do(action);
            }
            catch (Exception)
            {
                // Only a receiver that breaks its promise gets here; the next one to tell something goes on.
                lock (_lock)
                    _isActing = false;
                throw;
            }
        }
    }

    // Nearly every message moves the time of the next ping: a timer that fires too early is cheaper than one that is always set again.
    private void SetTimer()
    {
        Instant next = _session.NextTimeout;
        if (next >= _timerAt || _isDisposed)
            return;
        _timerAt = next;
        // A millisecond more than the difference, which timers round down.
        TimeSpan due = next - Now;
        _timer.Change(due > TimeSpan.Zero ? due + TimeSpan.FromMilliseconds(1) : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    private void Do(RelayAction action)
    {
        switch (action.Kind)
        {
            case RelayActionKind.Dial:
                Start(action.Attempt);
                break;
            case RelayActionKind.Abandon:
                Abandon();
                break;
            case RelayActionKind.Ping:
                Span<byte> ping = stackalloc byte[RelayFrame.PingLength];
                RelayFrameWriter.WritePing(ping, action.PingData);
                _queue.TryAppendControl(ping);
                break;
            case RelayActionKind.DropQueued:
                _metrics.OnNotConnected(_queue.DropDatagrams());
                break;
            case RelayActionKind.Notify:
                _receiver.OnStatusChanged(Status);
                break;
        }
    }

    private void Abandon()
    {
        try
        {
            Volatile.Read(ref _attemptStop)?.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has just ended by itself.
        }
    }

    private void Start(int attempt)
    {
        lock (_lock)
        {
            if (_isDisposed)
                return;
            var stop = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
            _attemptStop = stop;
            Task task = Task.Run(() => RunAsync(attempt, stop));
            _tasks.Add(task);
            _ = task.ContinueWith(
                static (ended, client) => ((RelayClient)client!).Forget(ended),
                this,
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
        }
    }

    private void Forget(Task task)
    {
        lock (_lock)
            _tasks.Remove(task);
    }

    private async Task RunAsync(int attempt, CancellationTokenSource stop)
    {
        using (stop)
        {
            RelayConnection connection;
            try
            {
                connection = await RelayConnection.ConnectAsync(_options, stop.Token).ConfigureAwait(false);
                _metrics.OnDialled(null);
            }
            catch (Exception exception)
            {
                var failure = (exception as RelayConnectException)?.Failure ?? RelayFailure.Unreachable;
                if (!stop.IsCancellationRequested)
                    _metrics.OnDialled(failure);
                Act(
                    static (session, now, failed) => session.OnDialFailed(now, failed.Attempt, failed.Failure, failed.Message),
                    (Attempt: attempt, Failure: failure, exception.Message));
                Interlocked.CompareExchange(ref _attemptStop, null, stop);
                return;
            }

            await CarryAsync(connection, attempt, stop).ConfigureAwait(false);
            Interlocked.CompareExchange(ref _attemptStop, null, stop);
        }
    }

    private async Task CarryAsync(RelayConnection connection, int attempt, CancellationTokenSource stop)
    {
        _queue.DropControl();
        bool isCurrent;
        lock (_lock)
        {
            isCurrent = _session.IsCurrent(attempt);
            if (isCurrent)
                _connection = connection;
        }

        if (isCurrent)
        {
            _metrics.OnConnections(1);
            Act(static (session, now, attempt) => session.OnConnected(now, attempt), attempt);
            Task<string?> receiving = EndedAsync(ReceiveAsync(connection, attempt, stop.Token));
            Task<string?> sending = EndedAsync(SendAsync(connection, attempt, stop.Token));
            string? reason = await (await Task.WhenAny(receiving, sending).ConfigureAwait(false)).ConfigureAwait(false);
            lock (_lock)
            {
                if (_connection == connection)
                    _connection = null;
            }

            if (reason is not null)
                Act(static (session, now, lost) => session.OnLost(now, lost.attempt, lost.reason), (attempt, reason));
            await stop.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(receiving, sending).ConfigureAwait(false);
            _metrics.OnConnections(-1);
        }

        await connection.DisposeAsync().ConfigureAwait(false);
    }

    // The reason, or null if it was stopped.
    private static async Task<string?> EndedAsync(Task task)
    {
        try
        {
            await task.ConfigureAwait(false);
            return null;
        }
        catch (OperationCanceledException)
        {
            return null;
        }
        catch (Exception exception)
        {
            return exception.Message;
        }
    }

    private async Task SendAsync(RelayConnection connection, int attempt, CancellationToken cancellationToken)
    {
        while (true)
        {
            RelaySendBatch batch = await _queue.TakeAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                Act(
                    static (session, now, write) => session.OnWriteStarted(now, write.attempt, write.HasDatagrams),
                    (attempt, HasDatagrams: batch.Packets > 0));
                await connection.WriteAsync(batch.Bytes, cancellationToken).ConfigureAwait(false);
                Act(static (session, _, attempt) => session.OnWritten(attempt), attempt);
                _metrics.OnSent(batch.Packets);
            }
            catch (Exception)
            {
                _metrics.OnNotConnected(batch.Packets);
                throw;
            }
            finally
            {
                RelaySendQueue.Return(batch);
            }
        }
    }

    private async Task ReceiveAsync(RelayConnection connection, int attempt, CancellationToken cancellationToken)
    {
        var ids = new EndpointIdCache();
        while (true)
        {
            while (connection.TryReceive(out Memory<byte> message))
                Handle(connection.Version, attempt, ids, message.Span);
            // Once a read, not once a message; part of a message shows as well that the relay lives.
            Act(static (session, now, attempt) => session.OnReceived(now, attempt), attempt);
            await connection.FillAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private void Handle(RelayVersion version, int attempt, EndpointIdCache ids, Span<byte> message)
    {
        if (!RelayFrame.TryRead(message, RelayRole.Relay, version, out RelayFrame frame, out RelayFrameError error))
            throw Broken(error);
        switch (frame.Type)
        {
            case RelayFrameType.RelayToClientDatagram or RelayFrameType.RelayToClientDatagramBatch:
                if (!ids.TryGet(frame.Peer, out EndpointId source))
                    throw Broken(RelayFrameError.InvalidEndpointId);
                int length = frame.Payload.Length;
                if (length == 0)
                    break;
                int segmentSize = frame.SegmentSize == 0 ? length : Math.Min(frame.SegmentSize, length);
                _metrics.OnReceived((length + segmentSize - 1) / segmentSize, length);
                _receiver.OnDatagrams(Url, source, frame.Ecn, message[^length..], segmentSize);
                break;
            case RelayFrameType.EndpointGone:
                if (!ids.TryGet(frame.Peer, out EndpointId gone))
                    throw Broken(RelayFrameError.InvalidEndpointId);
                _receiver.OnPeerGone(Url, gone);
                break;
            case RelayFrameType.Ping:
                Span<byte> pong = stackalloc byte[RelayFrame.PingLength];
                RelayFrameWriter.WritePong(pong, frame.PingData);
                _queue.TryAppendControl(pong);
                break;
            case RelayFrameType.Pong:
                Act(static (session, now, pong) => session.OnPong(now, pong.attempt, pong.PingData), (attempt, frame.PingData));
                break;
            case RelayFrameType.Health:
                Act(static (session, _, health) => session.OnHealth(health.attempt, RelayStatus.Healthy, health.Text), (attempt, frame.Text));
                break;
            case RelayFrameType.Status:
                Act(static (session, _, health) => session.OnHealth(health.attempt, health.Status, null), (attempt, frame.Status));
                break;
            case RelayFrameType.Restarting:
                Act(
                    static (session, _, restart) => session.OnRestarting(restart.attempt, restart.ReconnectIn, restart.TryFor),
                    (attempt, frame.ReconnectIn, frame.TryFor));
                break;
        }
    }

    private RelayConnectException Broken(RelayFrameError error) =>
        new(Url, RelayFailure.Lost, $"The relay {Url} broke the relay protocol ({error})");
}
