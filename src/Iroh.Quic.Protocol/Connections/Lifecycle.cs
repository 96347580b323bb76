using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Diagnostics;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Recovery;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Quic.Protocol.Timers;

namespace Iroh.Quic.Protocol.Connections;

/// <summary>Ends a connection, with the timers that belong to its end (RFC 9000 §10).</summary>
internal sealed class Lifecycle
{
    /// <summary>The closing and draining states last this many probe timeouts (RFC 9000 §10.2).</summary>
    private const int DrainProbeTimeouts = 3;

    private readonly ConnectionState _state;
    private readonly ConnectionKeys _keys;
    private readonly PathTable _paths;
    private readonly IdleTimeout _idle;
    private readonly TimeSpan _noPathTimeout;
    private readonly Queue<EndpointEvent> _endpointEvents;
    private readonly TraceSink? _trace;
    private readonly TimerTable<ConnectionTimer> _timers = new();

    public Lifecycle(
        ConnectionState state,
        ConnectionKeys keys,
        PathTable paths,
        IdleTimeout idle,
        TimeSpan initialRtt,
        Queue<EndpointEvent> endpointEvents,
        TraceSink? trace)
    {
        _state = state;
        _keys = keys;
        _paths = paths;
        _idle = idle;
        _noPathTimeout = (new RttEstimator(initialRtt).ProbeTimeoutBase + AckScheduler.MaxAckDelay) * DrainProbeTimeouts;
        _endpointEvents = endpointEvents;
        _trace = trace;
    }

    /// <summary>The next expiry of the timers kept here.</summary>
    public Instant NextTimeout => _timers.Next;

    /// <summary>This end closes: at the application's wish, or for an error of the peer's.</summary>
    public void Close(Instant now, CloseReason reason)
    {
        ConnectionPhase before = _state.Phase;
        if (!_state.Close(reason))
            return;
        OweClose();
        StartDrainTimer(now, before);
    }

    /// <summary>The peer broke the protocol, or this end failed.</summary>
    public void Close(Instant now, TransportError error) => Close(
        now,
        new CloseReason(CloseCause.LocalTransport, error.Code, error.FrameType, System.Text.Encoding.UTF8.GetBytes(error.Reason)));

    /// <summary>The peer has closed; the answer, if one is owed, goes where its word came from.</summary>
    public void ReceiveClose(Instant now, Path path, CloseReason reason)
    {
        ConnectionPhase before = _state.Phase;
        if (!_state.ReceiveClose(reason))
            return;
        for (int i = 0; i < _paths.Count; i++)
            _paths[i].OwesClose = _state.OwesClose && _paths[i] == path;
        StartDrainTimer(now, before);
    }

    /// <summary>A packet arrived on a path after this end has closed.</summary>
    public void OnPacketWhileClosing(Path path)
    {
        _state.OnPacketWhileClosing();
        path.OwesClose |= _state.OwesClose;
    }

    /// <summary>A CONNECTION_CLOSE left on a path.</summary>
    public void OnCloseSent(Path path)
    {
        path.OwesClose = false;
        for (int i = 0; i < _paths.Count; i++)
        {
            if (_paths[i].OwesClose)
                return;
        }

        _state.OnCloseSent();
    }

    /// <summary>No path is left: the peer has so long to open another, or this end to do so.</summary>
    public void UpdateNoPathTimer(Instant now)
    {
        if (!_state.IsOpen || _paths.OpenCount > 0)
            _timers.Stop(ConnectionTimer.NoPath);
        else if (_timers[ConnectionTimer.NoPath] == Instant.Never)
            _timers[ConnectionTimer.NoPath] = now + _noPathTimeout;
    }

    /// <summary>The connection is over at once, without a word.</summary>
    public void Abandon(Instant now, CloseReason reason)
    {
        ConnectionPhase before = _state.Phase;
        if (_state.Abandon(reason))
            OnDrained(now, before);
    }

    /// <summary>A packet was processed, or the connection begins: the idle timer starts anew.</summary>
    public void RestartIdleTimer(Instant now)
    {
        if (_state.IsOpen)
            _timers[ConnectionTimer.Idle] = _idle.OnPacketReceived(now, _paths.LongestProbeTimeout);
    }

    /// <summary>A datagram that asks for an acknowledgement was sent.</summary>
    public void OnAckElicitingSent(Instant now)
    {
        if (_state.IsOpen)
            _timers[ConnectionTimer.Idle] = _idle.OnAckElicitingSent(now, _paths.LongestProbeTimeout, _timers[ConnectionTimer.Idle]);
    }

    /// <summary>Ends the connection if one of the timers has expired.</summary>
    public void HandleTimeout(Instant now)
    {
        if (_timers.TryExpire(ConnectionTimer.Drain, now))
        {
            ConnectionPhase before = _state.Phase;
            _state.EndDraining();
            OnDrained(now, before);
        }
        else if (_state.IsOpen && _timers.TryExpire(ConnectionTimer.Idle, now))
        {
            Abandon(now, new CloseReason(CloseCause.IdleTimeout, 0, 0, default));
        }
        else if (_state.IsOpen && _timers.TryExpire(ConnectionTimer.NoPath, now))
        {
            Close(now, new TransportError(TransportErrorCode.NoViablePath, "All paths were abandoned."));
        }
    }

    // On every way that the peer is known to hear, since one of them may have gone dark.
    private void OweClose()
    {
        bool isAny = false;
        for (int i = 0; i < _paths.Count; i++)
        {
            Path path = _paths[i];
            path.OwesClose = !path.IsAbandoned && path.RemoteIds.HasActive && path.Current.Validator.IsValidated;
            isAny |= path.OwesClose;
        }

        if (!isAny)
            _paths.InUse.OwesClose = true;
    }

    private void StartDrainTimer(Instant now, ConnectionPhase before)
    {
        // A close that crosses the peer's goes on with the time that it has.
        if (before < ConnectionPhase.Closing)
        {
            _timers.StopAll();
            _timers[ConnectionTimer.Drain] = now + (_paths.LongestProbeTimeout * DrainProbeTimeouts);
        }

        _trace?.PhaseChanged(now, before, _state.Phase);
    }

    private void OnDrained(Instant now, ConnectionPhase before)
    {
        _timers.StopAll();
        _keys.Dispose();
        _endpointEvents.Enqueue(new EndpointEvent { Kind = EndpointEventKind.Drained });
        _trace?.PhaseChanged(now, before, ConnectionPhase.Drained);
    }
}
