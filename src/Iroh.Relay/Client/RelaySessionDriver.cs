using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Relay.Client;

/// <summary>
/// Gives a session its clock and lets several threads use it: tells it what happens, one at a time, and has its actions done in their
/// order. Thread-safe.
/// </summary>
internal sealed class RelaySessionDriver : IAsyncDisposable
{
    private readonly RelaySession _session;
    private readonly TimeProvider _time;
    private readonly Action<RelayAction> _act;
    private readonly long _origin;
    private readonly ITimer _timer;
    // Guards what follows and the session. Nothing waits inside.
    private readonly Lock _lock = new();
    private Instant _timerAt = Instant.Never;
    private bool _isActing;
    private bool _isDisposed;

    /// <summary>A session that has not begun.</summary>
    /// <param name="session">Belongs to the driver from now on.</param>
    /// <param name="time">The clock.</param>
    /// <param name="act">Does an action, outside all locks, never two at a time; must not block.</param>
    public RelaySessionDriver(RelaySession session, TimeProvider time, Action<RelayAction> act)
    {
        (_session, _time, _act) = (session, time, act);
        _origin = time.GetTimestamp();
        _timer = time.CreateTimer(
            static driver => ((RelaySessionDriver)driver!).HandleTimeout(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    private Instant Now => new(_time.GetElapsedTime(_origin).Ticks * 100);

    /// <summary>Looks at the session.</summary>
    public T Read<T>(Func<RelaySession, Instant, T> read)
    {
        lock (_lock)
            return read(_session, Now);
    }

    /// <summary>
    /// Tells the session something and does what it wants. If another thread is doing that just now, it does this, too, and the call
    /// returns at once.
    /// </summary>
    public void Tell<T>(Action<RelaySession, Instant, T> tell, T argument)
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
                _act(action);
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

    /// <summary>Stops the clock, and waits for what it has set off.</summary>
    public ValueTask DisposeAsync()
    {
        lock (_lock)
            _isDisposed = true;
        return _timer.DisposeAsync();
    }

    private void HandleTimeout()
    {
        lock (_lock)
            _timerAt = Instant.Never;
        Tell(static (session, now, _) => session.HandleTimeout(now), 0);
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
}
