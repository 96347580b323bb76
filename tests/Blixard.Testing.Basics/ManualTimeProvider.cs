namespace Blixard.Testing.Basics;

/// <summary>A clock that stands until a test moves it; timers fire within <see cref="Advance"/>. Thread-safe.</summary>
public sealed class ManualTimeProvider : TimeProvider
{
    private readonly Lock _lock = new();
    private readonly List<ManualTimer> _timers = [];
    private DateTimeOffset _now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow()
    {
        lock (_lock)
            return _now;
    }

    public override long GetTimestamp() => GetUtcNow().UtcTicks;

    /// <summary>Moves the clock, stopping at each timer on the way.</summary>
    public void Advance(TimeSpan by)
    {
        DateTimeOffset end = GetUtcNow() + by;
        while (true)
        {
            ManualTimer? due;
            lock (_lock)
            {
                due = _timers.Where(timer => timer.DueAt <= end).MinBy(timer => timer.DueAt);
                _now = due is null ? end : due.DueAt > _now ? due.DueAt : _now;
                if (due is not null)
                    due.Rearm();
            }

            if (due is null)
                return;
            due.Fire();
        }
    }

    /// <summary>Whether some timer is set that fires so far from now.</summary>
    public bool HasTimer(TimeSpan dueMin, TimeSpan dueMax)
    {
        lock (_lock)
            return _timers.Exists(timer => timer.DueAt >= _now + dueMin && timer.DueAt <= _now + dueMax);
    }

    /// <summary>Waits until some timer is set that fires so far from now: whoever waits for it has come to rest.</summary>
    /// <returns>How far from now it fires.</returns>
    /// <exception cref="TimeoutException">There is none within 30 s of real time.</exception>
    public async Task<TimeSpan> UntilTimerAsync(TimeSpan dueMin, TimeSpan dueMax)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            lock (_lock)
            {
                if (_timers.Find(timer => timer.DueAt >= _now + dueMin && timer.DueAt <= _now + dueMax) is { } found)
                    return found.DueAt - _now;
                if (patience.IsCancellationRequested)
                    throw new TimeoutException($"no timer in {dueMin}..{dueMax}; there are {string.Join(", ", _timers.Select(timer => timer.DueAt - _now))}");
            }

            await Task.Delay(5);
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class ManualTimer(ManualTimeProvider owner, TimerCallback callback, object? state) : ITimer
    {
        private TimeSpan _period;

        public DateTimeOffset DueAt { get; private set; }

        public void Fire() => callback(state);

        /// <summary>Within the lock: the timer is about to fire.</summary>
        public void Rearm()
        {
            owner._timers.Remove(this);
            if (_period <= TimeSpan.Zero)
                return;
            DueAt += _period;
            owner._timers.Add(this);
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (owner._lock)
            {
                owner._timers.Remove(this);
                _period = period;
                if (dueTime == Timeout.InfiniteTimeSpan)
                    return true;
                DueAt = owner._now + dueTime;
                owner._timers.Add(this);
                return true;
            }
        }

        public void Dispose()
        {
            lock (owner._lock)
                owner._timers.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
