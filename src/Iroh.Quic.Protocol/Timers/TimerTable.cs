using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Timers;

/// <summary>
/// When each timer of one group expires. Setting a timer is one store; the next expiry is found by looking at all of them, which for
/// a handful of timers costs less than keeping them sorted.
/// </summary>
/// <typeparam name="TTimer">The enumeration of the timers, numbered from 0 without gaps.</typeparam>
internal sealed class TimerTable<TTimer>
    where TTimer : unmanaged, Enum
{
    private static readonly int TimerCount = Enum.GetValues<TTimer>().Length;

    private readonly Instant[] _expiries = new Instant[TimerCount];

    public TimerTable() => StopAll();

    /// <summary>The earliest expiry of all, <see cref="Instant.Never"/> if no timer runs.</summary>
    public Instant Next
    {
        get
        {
            Instant next = Instant.Never;
            foreach (Instant expiry in _expiries)
                next = Instant.Min(next, expiry);
            return next;
        }
    }

    /// <summary>When the timer expires, <see cref="Instant.Never"/> if it does not run. Setting that stops it.</summary>
    public Instant this[TTimer timer]
    {
        get => _expiries[IndexOf(timer)];
        set => _expiries[IndexOf(timer)] = value;
    }

    /// <summary>Stops the timer and returns true if it has expired by <paramref name="now"/>; otherwise leaves it.</summary>
    public bool TryExpire(TTimer timer, Instant now)
    {
        ref Instant expiry = ref _expiries[IndexOf(timer)];
        if (expiry > now)
            return false;
        expiry = Instant.Never;
        return true;
    }

    /// <summary>Stops one timer.</summary>
    public void Stop(TTimer timer) => _expiries[IndexOf(timer)] = Instant.Never;

    /// <summary>Stops all timers.</summary>
    public void StopAll() => Array.Fill(_expiries, Instant.Never);

    private static int IndexOf(TTimer timer) => System.Runtime.CompilerServices.Unsafe.As<TTimer, int>(ref timer);
}
