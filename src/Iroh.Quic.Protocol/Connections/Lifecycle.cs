using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Diagnostics;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
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
    private readonly Queue<EndpointEvent> _endpointEvents;
    private readonly TraceSink? _trace;
    private readonly TimerTable<ConnectionTimer> _timers = new();

    public Lifecycle(
        ConnectionState state,
        ConnectionKeys keys,
        PathTable paths,
        IdleTimeout idle,
        Queue<EndpointEvent> endpointEvents,
        TraceSink? trace)
    {
        _state = state;
        _keys = keys;
        _paths = paths;
        _idle = idle;
        _endpointEvents = endpointEvents;
        _trace = trace;
    }

    /// <summary>The next expiry of the timers kept here.</summary>
    public Instant NextTimeout => _timers.Next;

    /// <summary>This end closes: at the application's wish, or for an error of the peer's.</summary>
    public void Close(Instant now, CloseReason reason)
    {
        ConnectionPhase before = _state.Phase;
        if (_state.Close(reason))
            StartDrainTimer(now, before);
    }

    /// <summary>The peer broke the protocol, or this end failed.</summary>
    public void Close(Instant now, TransportError error) => Close(
        now,
        new CloseReason(CloseCause.LocalTransport, error.Code, error.FrameType, System.Text.Encoding.UTF8.GetBytes(error.Reason)));

    /// <summary>The peer has closed.</summary>
    public void ReceiveClose(Instant now, CloseReason reason)
    {
        ConnectionPhase before = _state.Phase;
        if (_state.ReceiveClose(reason))
            StartDrainTimer(now, before);
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
            _timers[ConnectionTimer.Idle] = _idle.OnPacketReceived(now, LongestProbeTimeout());
    }

    /// <summary>A datagram that asks for an acknowledgement was sent.</summary>
    public void OnAckElicitingSent(Instant now)
    {
        if (_state.IsOpen)
            _timers[ConnectionTimer.Idle] = _idle.OnAckElicitingSent(now, LongestProbeTimeout(), _timers[ConnectionTimer.Idle]);
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
    }

    private void StartDrainTimer(Instant now, ConnectionPhase before)
    {
        // A close that crosses the peer's goes on with the time that it has.
        if (before < ConnectionPhase.Closing)
        {
            _timers.StopAll();
            _timers[ConnectionTimer.Drain] = now + (LongestProbeTimeout() * DrainProbeTimeouts);
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

    private TimeSpan LongestProbeTimeout()
    {
        TimeSpan longest = _paths.First.ProbeTimeout;
        for (int i = 1; i < _paths.Count; i++)
            longest = _paths[i].ProbeTimeout > longest ? _paths[i].ProbeTimeout : longest;
        return longest;
    }
}
