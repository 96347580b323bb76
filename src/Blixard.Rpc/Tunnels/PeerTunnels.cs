using System.Runtime.CompilerServices;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Peers;
using Microsoft.Extensions.Logging;

namespace Blixard.Rpc.Tunnels;

/// <summary>Carries byte connections to one service of one peer, each over the way that is best when it is opened. A way that dies
/// under its tunnels is noticed by its silence (<see cref="WayHealth"/>); its tunnels are cut at once, so that whoever uses them
/// connects anew over the other. When P2P works again the tunnels on gRPC are moved: cut one after the other. Thread-safe.</summary>
public sealed partial class PeerTunnels : IAsyncDisposable
{
    private readonly PeerChannel _channel;
    private readonly string _target;
    private readonly TimeProvider _time;
    private readonly ILogger<PeerTunnels> _logger;
    private readonly RpcMetrics? _metrics;
    private readonly TunnelTiming _timing;
    private readonly long _started;
    private readonly ITimer _timer;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly List<TunnelWay> _ways = [];
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TimeSpan _nextMove;
    private TimeSpan _nextTry;
    private long _bytesP2p;
    private long _bytesGrpc;
    private int _running;
    private bool _isStopped;

    /// <summary>No tunnels yet.</summary>
    /// <param name="channel">The ways to the peer. Not owned.</param>
    /// <param name="target">The service at the peer, such as "raft"; 1..64 characters.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Gets what is cut.</param>
    /// <param name="metrics">Where tunnels are counted; null = nowhere.</param>
    /// <param name="timing">The times; null = the usual ones.</param>
    public PeerTunnels(
        PeerChannel channel, string target, TimeProvider time, ILogger<PeerTunnels> logger, RpcMetrics? metrics = null,
        TunnelTiming? timing = null)
    {
        ArgumentNullException.ThrowIfNull(channel);
        ArgumentNullException.ThrowIfNull(time);
        ArgumentOutOfRangeException.ThrowIfZero(target?.Length ?? 0, nameof(target));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(target!.Length, TunnelLimits.TargetLengthMax, nameof(target));
        (_channel, _target, _time, _logger, _metrics, _timing) = (channel, target, time, logger, metrics, timing ?? new TunnelTiming());
        _started = time.GetTimestamp();
        _timer = time.CreateTimer(_ => Tend(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>What there is now.</summary>
    public PeerTunnelsStatus Status
    {
        get
        {
            PeerChannelStatus channel = _channel.Status;
            lock (_lock)
            {
                return new PeerTunnelsStatus(
                    channel.Transport, channel.Since, CountOpen(RpcTransport.P2p), CountOpen(RpcTransport.Grpc),
                    Interlocked.Read(ref _bytesP2p), Interlocked.Read(ref _bytesGrpc), channel.Switches, channel.LastSwitch,
                    _ways.FindLast(way => way.Route.Transport == channel.Transport)?.Health.RoundTripTime);
            }
        }
    }

    private TimeSpan Now => _time.GetElapsedTime(_started);

    /// <summary>Carries one connection until both its directions have ended, or it breaks on this side.</summary>
    /// <param name="local">The connection: a <see cref="System.Net.Sockets.NetworkStream"/>, or another stream if it need not be half
    /// closed. Owned from now on, and closed at the end, however it comes.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="RpcException">PERMISSION_DENIED, NOT_FOUND, UNAVAILABLE and the like from the peer; UNAVAILABLE: no way leads
    /// to it; ABORTED: the tunnel was cut, the text says why. Whoever made the connection may connect again.</exception>
    /// <exception cref="OperationCanceledException">The token fired, or the tunnels were disposed.</exception>
    public async Task CarryAsync(Stream local, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(local);
        await using ConfiguredAsyncDisposable closing = local.ConfigureAwait(false);
        Begin();
        try
        {
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
            OpenTunnel tunnel = await OpenAsync(local, ended.Token).ConfigureAwait(false);
            await RunAsync(tunnel, local, ended.Token).ConfigureAwait(false);
        }
        finally
        {
            Finish();
        }
    }

    /// <summary>Cuts all tunnels and waits for their ends.</summary>
    public async ValueTask DisposeAsync()
    {
        List<OpenTunnel> open;
        bool isFirst;
        lock (_lock)
        {
            isFirst = !_isStopped;
            _isStopped = true;
            open = [.. _ways.SelectMany(way => way.Tunnels)];
            if (_running == 0)
                _idle.TrySetResult();
        }

        if (!isFirst)
        {
            await _idle.Task.ConfigureAwait(false);
            return;
        }

        await _timer.DisposeAsync().ConfigureAwait(false);
        CutAll(open, TunnelCutReason.Stopped);
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _idle.Task.ConfigureAwait(false);
        _stopping.Dispose();
    }

    private void Begin()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isStopped, this);
            _running++;
        }
    }

    private void Finish()
    {
        lock (_lock)
        {
            if (--_running == 0 && _isStopped)
                _idle.TrySetResult();
        }
    }

    private async Task<OpenTunnel> OpenAsync(Stream local, CancellationToken cancellationToken)
    {
        TimeSpan wait;
        lock (_lock)
            wait = _nextTry - Now;
        if (wait > TimeSpan.Zero)
            await Task.Delay(wait, _time, cancellationToken).ConfigureAwait(false);
        PeerRoute route = _channel.Choose();
        try
        {
            return await OpenOnAsync(route, local, cancellationToken).ConfigureAwait(false);
        }
        catch (RpcException e) when (e.IsTransportFailure)
        {
            if (_channel.ChooseOther(route) is not { } other)
                throw NoWay(e);
            try
            {
                return await OpenOnAsync(other, local, cancellationToken).ConfigureAwait(false);
            }
            catch (RpcException second) when (second.IsTransportFailure)
            {
                throw NoWay(second);
            }
        }
    }

    private RpcException NoWay(RpcException last)
    {
        lock (_lock)
            _nextTry = Now + _timing.RetryDelay;
        return new RpcException(RpcStatusCode.Unavailable, $"no way leads to {_channel.Name}: {last.Message}", last.Stage, default, last);
    }

    private async Task<OpenTunnel> OpenOnAsync(PeerRoute route, Stream local, CancellationToken cancellationToken)
    {
        void Count(int length) => Interlocked.Add(ref route.Transport == RpcTransport.P2p ? ref _bytesP2p : ref _bytesGrpc, length);
        OpenTunnel tunnel = route.Caller is P2pCaller caller
            ? new ByteTunnel(caller, route, _target, local, Count, _timing.Opening, _time, _metrics, cancellationToken)
            : new FrameTunnel(route, _target, local, Count, _timing.Opening, _time, _metrics, cancellationToken);
        try
        {
            if (!await tunnel.AskAsync().ConfigureAwait(false))
                throw new RpcException(RpcStatusCode.Internal, $"{_channel.Name} began a tunnel with something else than an opened frame");
            _channel.OnWorked(route);
            Enter(tunnel);
            tunnel.Open();
            LogOpened(_target, _channel.Name, route.Transport);
            return tunnel;
        }
        catch (Exception e)
        {
            await EndAsync(tunnel).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            if (tunnel.CutReason is { } reason)
                throw Cut(tunnel, reason);
            RpcException failure = e as RpcException ?? new RpcException(
                RpcStatusCode.Unavailable, $"no tunnel was opened within {_timing.Opening.TotalSeconds:0.#} s", RpcFailureStage.AwaitingResponse, default, e);
            if (failure.IsTransportFailure)
                _channel.OnFailed(route);
            LogOpenFailed(_target, _channel.Name, route.Transport, failure.Message);
            throw failure;
        }
    }

    private async Task RunAsync(OpenTunnel tunnel, Stream local, CancellationToken cancellationToken)
    {
        try
        {
            await tunnel.RunAsync().ConfigureAwait(false);
        }
        catch (TunnelProtocolException e)
        {
            throw new RpcException(RpcStatusCode.Internal, $"{_channel.Name} sent what is no tunnel: {e.Message}", inner: e);
        }
        catch (Exception) when (tunnel.CutReason is { } reason)
        {
            throw Cut(tunnel, reason);
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
        catch (RpcException e) when (e.IsTransportFailure)
        {
            tunnel.Cut(TunnelCutReason.WayFailed);
            _channel.OnFailed(tunnel.Route);
            lock (_lock)
                tunnel.Way!.Suspect();
            throw;
        }
        catch (Exception e) when (e is TunnelLocalException or IOException or ObjectDisposedException)
        {
            // The connection on this side broke: whoever made it knows.
        }
        finally
        {
            // First of all, and not after the farewell to a peer that may be gone: it is the news that its user waits for.
            await local.DisposeAsync().ConfigureAwait(false);
            await EndAsync(tunnel).ConfigureAwait(false);
        }
    }

    private RpcException Cut(OpenTunnel tunnel, TunnelCutReason reason) => new(
        RpcStatusCode.Aborted, $"the {_target} tunnel to {_channel.Name} over {tunnel.Route.Transport} was cut: {reason}", RpcFailureStage.Local);

    private void Enter(OpenTunnel tunnel)
    {
        TunnelWay? made = null;
        lock (_lock)
        {
            TunnelWay? way = _ways.Find(known => ReferenceEquals(known.Route.Caller, tunnel.Route.Caller));
            if (way is null)
            {
                _ways.Add(way = made = new TunnelWay(tunnel.Route, _timing, _time, _started));
                _running++;
            }

            tunnel.Way = way;
            way.Tunnels.Add(tunnel);
            way.NoteHeard();
        }

        if (made is null)
            return;
        _ = Task.Run(() => PulseAsync(made));
        Tend();
    }

    private async Task EndAsync(OpenTunnel tunnel)
    {
        TunnelWay? deserted = null;
        lock (_lock)
        {
            if (tunnel.Way is { } way && way.Tunnels.Remove(tunnel) && way.Tunnels.Count == 0 && _ways.Remove(way))
                deserted = way;
        }

        deserted?.Dispose();
        await tunnel.DisposeAsync().ConfigureAwait(false);
    }

    private async Task PulseAsync(TunnelWay way)
    {
        try
        {
            if (!await way.PulseAsync(OnPulse).ConfigureAwait(false))
                Drop(way, TunnelCutReason.WayFailed);
        }
        finally
        {
            Finish();
        }
    }

    private void OnPulse(TunnelWay way, ulong number)
    {
        lock (_lock)
            way.OnPulse(number);
    }

    // The timer's: asks ways that are quiet, cuts dead ones, moves tunnels, and sets the timer anew.
    private void Tend()
    {
        RpcTransport best = _channel.Current;
        List<TunnelWay> dead = [];
        OpenTunnel? moved = null;
        lock (_lock)
        {
            if (_isStopped)
                return;
            TimeSpan now = Now, next = TimeSpan.MaxValue;
            foreach (TunnelWay way in _ways)
            {
                WayAction action = way.Tend(now);
                if (action == WayAction.Pulse)
                    way.Ask();
                else if (action == WayAction.Cut)
                    dead.Add(way);
                if (way.Health.NextTimeout < next)
                    next = way.Health.NextTimeout;
            }

            if (best == RpcTransport.P2p && now >= _nextMove && (moved = OldestOnGrpc()) is not null)
                _nextMove = now + _timing.MoveDelay;
            // Timers count whole milliseconds; rounding up keeps them from coming too early again and again.
            if (next != TimeSpan.MaxValue)
                _timer.Change(TimeSpan.FromMilliseconds(Math.Max(1, Math.Ceiling((next - now).TotalMilliseconds))), Timeout.InfiniteTimeSpan);
        }

        foreach (TunnelWay way in dead)
            Drop(way, TunnelCutReason.PulseLost);
        if (moved is not null)
            CutAll([moved], TunnelCutReason.Moved);
    }

    // Under the lock. Dead ways are not among them: they are cut in any case.
    private OpenTunnel? OldestOnGrpc() => _ways
        .Find(way => way is { Route.Transport: RpcTransport.Grpc, Health.IsDead: false })?
        .Tunnels.Find(tunnel => tunnel.CutReason is null);

    private void Drop(TunnelWay way, TunnelCutReason reason)
    {
        List<OpenTunnel> open;
        lock (_lock)
        {
            _ways.Remove(way);
            open = [.. way.Tunnels];
        }

        way.Dispose();
        // The channel first: who connects anew is to find the other way.
        _channel.OnFailed(way.Route, isPulseLost: reason == TunnelCutReason.PulseLost);
        CutAll(open, reason);
    }

    private void CutAll(List<OpenTunnel> tunnels, TunnelCutReason reason)
    {
        int p2p = 0, grpc = 0;
        foreach (OpenTunnel tunnel in tunnels)
        {
            if (!tunnel.Cut(reason))
                continue;
            if (tunnel.Route.Transport == RpcTransport.P2p)
                p2p++;
            else
                grpc++;
        }

        if (p2p > 0)
            LogCut(p2p, _target, _channel.Name, RpcTransport.P2p, reason);
        if (grpc > 0)
            LogCut(grpc, _target, _channel.Name, RpcTransport.Grpc, reason);
    }

    // Under the lock.
    private int CountOpen(RpcTransport transport) =>
        _ways.Where(way => way.Route.Transport == transport).Sum(way => way.Tunnels.Count);
}
