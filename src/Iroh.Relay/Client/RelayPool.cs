using System.Collections.Concurrent;
using System.Net;
using Iroh.Base;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Relay.Client;

/// <summary>
/// All relays of an endpoint: those to be kept stay connected, any other is connected to when something is to be sent over it and closed
/// when nothing has been for a while. Thread-safe.
/// </summary>
public sealed class RelayPool : IAsyncDisposable
{
    /// <summary>
    /// The most relays at a time, kept ones included. Peers name relays in their addresses, and each takes a connection and up to half a
    /// megabyte of buffers; an endpoint with this many relays in use is under attack, or a server of many, whose peers then wait.
    /// </summary>
    public const int RelaysMax = 64;

    /// <summary>How often idle relays are looked for: a twelfth of the time they may be idle, by default.</summary>
    private static readonly TimeSpan s_sweepInterval = TimeSpan.FromSeconds(5);

    /// <summary>When there are too many relays, one that nothing was sent to for so long gives way.</summary>
    private static readonly TimeSpan s_evictionAge = TimeSpan.FromSeconds(5);

    private readonly RelayPoolOptions _options;
    private readonly IRelayReceiver _receiver;
    private readonly RelayMetrics _metrics;
    private readonly ITimer _sweep;
    // Read without the lock, changed within it.
    private readonly ConcurrentDictionary<RelayUrl, PooledRelay> _relays = new();
    private readonly Lock _lock = new();
    private readonly HashSet<Task> _closing = [];
    private HashSet<RelayUrl> _kept = [];
    private bool _isDisposed;

    /// <summary>A pool without relays.</summary>
    /// <param name="options">How to connect.</param>
    /// <param name="receiver">Takes what comes from all of them, from several tasks at a time.</param>
    public RelayPool(RelayPoolOptions options, IRelayReceiver receiver)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(receiver);
        _options = options;
        _receiver = receiver;
        _metrics = new RelayMetrics(options.MeterFactory);
        _sweep = options.TimeProvider.CreateTimer(static pool => ((RelayPool)pool!).Sweep(), this, s_sweepInterval, s_sweepInterval);
    }

    /// <summary>The state of all relays that are kept or in use, in the order of their URLs.</summary>
    public IReadOnlyList<RelayClientStatus> Statuses =>
        [.. _relays.Values.Select(relay => relay.Client.Status).OrderBy(status => status.Url)];

    /// <summary>What went over all relays since the pool was made.</summary>
    public RelayStatistics Statistics => _metrics.Statistics;

    /// <summary>The state of one relay.</summary>
    /// <returns>Null if it is neither kept nor in use.</returns>
    public RelayClientStatus? GetStatus(RelayUrl relay) => _relays.TryGetValue(relay, out PooledRelay? pooled) ? pooled.Client.Status : null;

    /// <summary>
    /// Says which relays stay connected: the home relay, and those that are to take its place. Replaces what was said before; a relay
    /// that is no longer named is closed like any other when nothing has been sent over it for <see cref="RelayPoolOptions.IdleTimeout"/>
    /// from now.
    /// </summary>
    /// <param name="relays">At most <see cref="RelaysMax"/>; more are ignored.</param>
    public void KeepConnected(IEnumerable<RelayUrl> relays)
    {
        ArgumentNullException.ThrowIfNull(relays);
        RelayUrl[] kept = [.. relays.Distinct().Take(RelaysMax)];
        lock (_lock)
        {
            // Those who know this endpoint by its old home relay hear of the new one in the meantime.
            foreach (RelayUrl relay in _kept)
            {
                if (_relays.TryGetValue(relay, out PooledRelay? former))
                    former.LastSent = _options.TimeProvider.GetTimestamp();
            }

            _kept = [.. kept];
        }

        foreach (RelayUrl relay in kept)
            Open(relay);
    }

    /// <summary>
    /// Sends datagrams to a peer over a relay, which is connected to if need be. While it is not connected and another relay has heard the
    /// peer, that one carries them. Never blocks.
    /// </summary>
    /// <param name="relay">The relay that the peer is on.</param>
    /// <param name="to">The peer.</param>
    /// <param name="ecn">The datagrams' ECN bits, which the relay passes on.</param>
    /// <param name="payload">One datagram, or several of <paramref name="segmentSize"/> bytes each of which the last may be shorter.</param>
    /// <param name="segmentSize">Bytes of each datagram but the last; 0 or the payload's length for a single one.</param>
    /// <returns>False if some were dropped: too many wait, there are too many relays, or one is too large.</returns>
    public bool TrySend(RelayUrl relay, EndpointId to, EcnCodepoint ecn, ReadOnlySpan<byte> payload, int segmentSize)
    {
        ArgumentNullException.ThrowIfNull(relay);
        _relays.TryGetValue(relay, out PooledRelay? pooled);
        if (pooled?.Client.IsConnected != true)
            pooled = FindThatHeard(to) ?? pooled ?? Open(relay);
        if (pooled is null)
            return false;
        pooled.LastSent = _options.TimeProvider.GetTimestamp();
        return pooled.Client.TrySend(to, ecn, payload, segmentSize);
    }

    /// <summary>The relays that a peer has been heard over and that it has not left, connected ones only.</summary>
    public IReadOnlyList<RelayUrl> RelaysOf(EndpointId peer) =>
        [.. _relays.Values.Where(relay => relay.Client.IsConnected && relay.Peers.Contains(peer)).Select(relay => relay.Client.Url)];

    /// <summary>The machine's network changed: see <see cref="RelayClient.OnNetworkChange"/>.</summary>
    /// <param name="isLocalAddress">Whether the machine still has an address; null: it is not known.</param>
    public void OnNetworkChange(Func<IPAddress, bool>? isLocalAddress = null)
    {
        foreach (PooledRelay relay in _relays.Values)
            relay.Client.OnNetworkChange(isLocalAddress);
    }

    /// <summary>Whether all relays are connected and nothing is expected from them: a test's clock may move on.</summary>
    internal bool IsAtRest => _relays.Values.All(relay => relay.Client.IsAtRest);

    /// <summary>Leaves all relays and waits until nothing is called any more.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            if (_isDisposed)
                return;
            _isDisposed = true;
            foreach (PooledRelay relay in _relays.Values)
                Close(relay);
        }

        await _sweep.DisposeAsync().ConfigureAwait(false);
        Task[] closing;
        lock (_lock)
            closing = [.. _closing];
        await Task.WhenAll(closing).ConfigureAwait(false);
        _metrics.Dispose();
    }

    private PooledRelay? FindThatHeard(EndpointId peer)
    {
        foreach ((_, PooledRelay relay) in _relays)
        {
            if (relay.Client.IsConnected && relay.Peers.Contains(peer))
                return relay;
        }

        return null;
    }

    private PooledRelay? Open(RelayUrl url)
    {
        lock (_lock)
        {
            if (_isDisposed)
                return null;
            if (_relays.TryGetValue(url, out PooledRelay? relay))
                return relay;
            if (_relays.Count >= RelaysMax && !TryEvict())
                return null;
            relay = new PooledRelay(this, url) { LastSent = _options.TimeProvider.GetTimestamp() };
            _relays[url] = relay;
            return relay;
        }
    }

    private bool TryEvict()
    {
        PooledRelay? oldest = _relays.Values.Where(relay => !_kept.Contains(relay.Client.Url)).MinBy(relay => relay.LastSent);
        if (oldest is null || _options.TimeProvider.GetElapsedTime(oldest.LastSent) < s_evictionAge)
            return false;
        Close(oldest);
        return true;
    }

    private void Sweep()
    {
        lock (_lock)
        {
            foreach (PooledRelay relay in _relays.Values)
            {
                if (!_kept.Contains(relay.Client.Url) && _options.TimeProvider.GetElapsedTime(relay.LastSent) >= _options.IdleTimeout)
                    Close(relay);
            }
        }
    }

    // Within the lock.
    private void Close(PooledRelay relay)
    {
        if (!_relays.TryRemove(relay.Client.Url, out _))
            return;
        Task closing = Task.Run(() => relay.Client.DisposeAsync().AsTask());
        _closing.Add(closing);
        _ = closing.ContinueWith(
            static (closed, pool) => ((RelayPool)pool!).Forget(closed),
            this,
            CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
    }

    private void Forget(Task closed)
    {
        lock (_lock)
            _closing.Remove(closed);
    }

    /// <summary>One relay of the pool, and what it tells.</summary>
    private sealed class PooledRelay : IRelayReceiver
    {
        private readonly RelayPool _pool;
        private long _lastSent;

        public PooledRelay(RelayPool pool, RelayUrl url)
        {
            _pool = pool;
            RelayPoolOptions options = pool._options;
            Client = new RelayClient(
                new RelayClientOptions
                {
                    Url = url,
                    SecretKey = options.SecretKey,
                    Token = options.TokenOf?.Invoke(url),
                    CertificateValidation = options.CertificateValidation,
                    Proxy = options.Proxy,
                    ConnectTimeout = options.ConnectTimeout,
                    Resolve = options.Resolve,
                    TimeProvider = options.TimeProvider,
                    Random = options.Random,
                },
                this,
                pool._metrics);
        }

        public RelayClient Client { get; }

        public RelayPeers Peers { get; } = new();

        /// <summary>A timestamp of the pool's clock.</summary>
        public long LastSent
        {
            get => Volatile.Read(ref _lastSent);
            set => Volatile.Write(ref _lastSent, value);
        }

        public void OnDatagrams(RelayUrl relay, EndpointId source, EcnCodepoint ecn, Span<byte> payload, int segmentSize)
        {
            Peers.Add(source);
            _pool._receiver.OnDatagrams(relay, source, ecn, payload, segmentSize);
        }

        public void OnPeerGone(RelayUrl relay, EndpointId peer)
        {
            Peers.Remove(peer);
            _pool._receiver.OnPeerGone(relay, peer);
        }

        public void OnStatusChanged(RelayClientStatus status)
        {
            if (status.State != RelayState.Connected)
                Peers.Clear();
            _pool._receiver.OnStatusChanged(status);
        }
    }
}
