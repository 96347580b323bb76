using System.Net;
using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Protocol;

namespace Iroh.Relay.Client;

/// <summary>
/// Keeps one relay for as long as it is wanted: dials it, pings it, dials again. What it does when is decided by
/// <see cref="RelaySession"/>; this has its clock, its network and its queue. Thread-safe.
/// </summary>
public sealed class RelayClient : IAsyncDisposable
{
    // The end of a connection is a matter of milliseconds; only a bug waits longer, and must not hang whoever disposes.
    private static readonly TimeSpan s_disposePatience = TimeSpan.FromSeconds(5);

    private readonly RelayClientOptions _options;
    private readonly IRelayReceiver _receiver;
    private readonly RelayMetrics _metrics;
    private readonly bool _ownsMetrics;
    private readonly RelaySessionDriver _driver;
    private readonly RelaySendQueue _queue = new();
    private readonly CancellationTokenSource _stop = new();
    // Set within the driver's lock, so that no connection of an earlier attempt takes the place of a later one.
    private RelayConnection? _connection;
    // Guards what follows. Nothing is called, and nothing waits, inside.
    private readonly Lock _lock = new();
    private readonly HashSet<Task> _tasks = [];
    private CancellationTokenSource? _attemptStop;
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
        var session = new RelaySession(options.Random ?? OperatingSystemRandomSource.Instance, options.ConnectTimeout);
        _driver = new RelaySessionDriver(session, options.TimeProvider, Do);
        _driver.Tell(static (session, now, _) => session.Start(now), 0);
    }

    /// <summary>The relay.</summary>
    public RelayUrl Url => _options.Url;

    /// <summary>How it stands.</summary>
    public RelayState State => _driver.Read(static (session, _) => session.State);

    /// <summary>All that is known at this moment.</summary>
    public RelayClientStatus Status => _driver.Read((session, now) =>
    {
        bool isConnected = session.State == RelayState.Connected;
        return new RelayClientStatus
        {
            Url = Url,
            State = session.State,
            LastError = session.LastError,
            Health = session.Health,
            HealthText = session.HealthText,
            RoundTripTime = session.RoundTripTime,
            Silence = isConnected ? now - session.LastReceived : null,
            Version = isConnected ? _connection?.Version : null,
            LocalEndPoint = isConnected ? _connection?.LocalEndPoint : null,
            RemoteEndPoint = isConnected ? _connection?.RemoteEndPoint : null,
        };
    });

    /// <summary>What went over this relay; of all relays if the client belongs to a pool.</summary>
    public RelayStatistics Statistics => _metrics.Statistics;

    /// <summary>Whether datagrams go out at once.</summary>
    internal bool IsConnected => Volatile.Read(ref _connection) is not null;

    /// <summary>Whether a connection is there and nothing is expected from it: a test's clock may move on.</summary>
    internal bool IsAtRest => _driver.Read(static (session, _) => session.IsAtRest);

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
            _driver.Tell(static (session, now, _) => session.OnQueued(now), 0);
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
        _driver.Tell(static (session, now, isGone) => session.OnNetworkChange(now, isGone), isGone);
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

        _driver.Tell(static (session, _, _) => session.Close(), 0);
        await _driver.DisposeAsync().ConfigureAwait(false);
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
                _driver.Tell(
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
        _driver.Tell(
            static (session, now, connected) =>
            {
                if (!session.IsCurrent(connected.attempt))
                    return;
                connected.Client._connection = connected.connection;
                session.OnConnected(now, connected.attempt);
            },
            (Client: this, connection, attempt));
        if (Volatile.Read(ref _connection) == connection)
        {
            _metrics.OnConnections(1);
            var courier = new RelayCourier(Url, connection, attempt, _driver, _queue, _metrics, _receiver);
            await courier.RunAsync(stop, ended: () => Interlocked.CompareExchange(ref _connection, null, connection)).ConfigureAwait(false);
            _metrics.OnConnections(-1);
        }

        await connection.DisposeAsync().ConfigureAwait(false);
    }
}
