using Iroh.Base;
using Iroh.NetReport;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Client;

namespace Iroh.Relays;

/// <summary>
/// Keeps the endpoint connected to the relay that <see cref="HomeRelayChoice"/> chooses, and tells which one others should be told. May be
/// used from any thread.
/// </summary>
internal sealed class HomeRelay : IDisposable
{
    private readonly Lock _lock = new();
    private readonly HomeRelayChoice _choice = new();
    private readonly RelayPool _pool;
    private readonly Action<RelayUrl?> _onAdvertised;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private readonly HashSet<RelayUrl> _connected = [];
    private readonly HashSet<RelayUrl> _map;
    private TaskCompletionSource _online = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isDisposed;

    /// <param name="pool">The connections; stays the caller's.</param>
    /// <param name="relays">The relays that may be home, in order of preference.</param>
    /// <param name="onAdvertised">Told which relay others should be told, one call at a time; must not block.</param>
    /// <param name="time">The clock.</param>
    public HomeRelay(RelayPool pool, IReadOnlyList<RelayUrl> relays, Action<RelayUrl?> onAdvertised, TimeProvider time)
    {
        (_pool, _onAdvertised, _time) = (pool, onAdvertised, time);
        _map = [.. relays];
        _timer = time.CreateTimer(_ => Decide((choice, now) => choice.HandleTimeout(now)), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Decide((choice, now) => choice.SetRelays(now, relays));
    }

    /// <summary>The relay that a connection is kept to; null if none is chosen yet.</summary>
    public RelayUrl? Url
    {
        get
        {
            lock (_lock)
                return _choice.Home;
        }
    }

    /// <summary>Completes once a home relay is connected; already completed while one is.</summary>
    public Task Online
    {
        get
        {
            lock (_lock)
                return _online.Task;
        }
    }

    /// <summary>A net report has measured relays.</summary>
    public void OnReport(NetReportResult report) => Decide((choice, now) => choice.OnReport(now, report.Relays, report.IsComplete));

    /// <summary>A relay's connection came up, went away or was refused.</summary>
    public void OnStatus(RelayClientStatus status)
    {
        if (!_map.Contains(status.Url))
            return;
        Decide((choice, now) =>
        {
            switch (status.State)
            {
                case RelayState.Connected:
                    _connected.Add(status.Url);
                    return choice.OnConnected(now, status.Url);
                case RelayState.Denied:
                    _connected.Remove(status.Url);
                    return choice.OnRefused(now, status.Url);
                default:
                    // Still dialling is no news: the choice's own patience sees to that.
                    return _connected.Remove(status.Url) && choice.OnLost(now, status.Url);
            }
        });
    }

    /// <summary>Decides no more.</summary>
    public void Dispose()
    {
        lock (_lock)
            _isDisposed = true;
        _timer.Dispose();
    }

    private void Decide(Func<HomeRelayChoice, Instant, bool> decide)
    {
        lock (_lock)
        {
            if (_isDisposed)
                return;
            (RelayUrl? home, RelayUrl? advertised) = (_choice.Home, _choice.Advertised);
            decide(_choice, _time.Now());
            if (!Equals(home, _choice.Home))
                _pool.KeepConnected(_choice.Home is { } chosen ? [chosen] : []);
            if (!Equals(advertised, _choice.Advertised))
                _onAdvertised(_choice.Advertised);
            UpdateOnline();
            TimeSpan wait = _choice.NextTimeout == Instant.Never ? Timeout.InfiniteTimeSpan : _choice.NextTimeout - _time.Now();
            _timer.Change(wait < TimeSpan.Zero && wait != Timeout.InfiniteTimeSpan ? TimeSpan.Zero : wait, Timeout.InfiniteTimeSpan);
        }
    }

    private void UpdateOnline()
    {
        bool isOnline = _choice.Home is { } home && _connected.Contains(home);
        if (isOnline)
            _online.TrySetResult();
        else if (_online.Task.IsCompleted)
            _online = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
