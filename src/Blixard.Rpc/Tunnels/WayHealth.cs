namespace Blixard.Rpc.Tunnels;

/// <summary>What is to be done about a way.</summary>
internal enum WayAction
{
    /// <summary>Nothing.</summary>
    None,
    /// <summary>Ask for a sign of life.</summary>
    Pulse,
    /// <summary>It is dead: cut everything on it.</summary>
    Cut,
}

/// <summary>Decides whether a way that carries tunnels is alive. Without clock or I/O; one owner.</summary>
/// <remarks>
/// <code>
/// Lively --nothing came for Quiet----------------> Asked (pulse)
/// Asked  --anything came-------------------------> Lively
/// Asked  --Quiet passed again--------------------> Asked (pulse)
/// Asked  --nothing came for the limit------------> Dead (cut), for good
/// any    --the timer came late by StallMargin----> Asked (pulse), the silence is measured anew; at most StallsMax times in a row
/// </code>
/// The limit is <see cref="TunnelTiming.Silence"/>, or <see cref="TunnelTiming.Quiet"/> and three round trips if that is more: a far
/// peer gets the time for a pulse and for one that is sent again.
/// </remarks>
internal sealed class WayHealth
{
    // A machine so busy that each timer is late would never find a way dead; after this many the silence counts all the same.
    private const int StallsMax = 4;

    // A round trip above this is no distance but a line that is full: patience with it has an end.
    private static readonly TimeSpan s_roundTripMax = TimeSpan.FromSeconds(1);

    private readonly TunnelTiming _timing;
    private TimeSpan _heard;
    private TimeSpan _asked;
    private bool _isAsked;
    private int _stalls;

    /// <summary>A way on which something has just come.</summary>
    /// <param name="timing">The times.</param>
    /// <param name="now">Monotonic time since any fixed moment.</param>
    public WayHealth(TunnelTiming timing, TimeSpan now) => (_timing, _heard) = (timing, now);

    /// <summary>Whether it was found dead.</summary>
    public bool IsDead { get; private set; }

    /// <summary>When anything came last.</summary>
    public TimeSpan Heard => _heard;

    /// <summary>The newest round trip of a pulse; null before the first.</summary>
    public TimeSpan? RoundTripTime { get; private set; }

    /// <summary>The silence after which it is dead.</summary>
    public TimeSpan Limit
    {
        get
        {
            TimeSpan roundTrip = RoundTripTime is { } measured && measured < s_roundTripMax ? measured : RoundTripTime is null ? default : s_roundTripMax;
            TimeSpan far = _timing.Quiet + (3 * roundTrip);
            return far > _timing.Silence ? far : _timing.Silence;
        }
    }

    /// <summary>When <see cref="HandleTimeout"/> wants to be called; <see cref="TimeSpan.MaxValue"/> when dead.</summary>
    public TimeSpan NextTimeout
    {
        get
        {
            if (IsDead)
                return TimeSpan.MaxValue;
            if (!_isAsked)
                return _heard + _timing.Quiet;
            TimeSpan again = _asked + _timing.Quiet, dead = _heard + Limit;
            return again < dead ? again : dead;
        }
    }

    /// <summary>Anything came from the peer.</summary>
    public void OnHeard(TimeSpan now)
    {
        _heard = now;
        _isAsked = false;
        _stalls = 0;
    }

    /// <summary>A pulse came back.</summary>
    public void OnPulse(TimeSpan roundTripTime, TimeSpan now)
    {
        RoundTripTime = roundTripTime;
        OnHeard(now);
    }

    /// <summary>Something speaks against the way, such as a tunnel on it that broke: ask at once.</summary>
    public WayAction OnSuspected(TimeSpan now)
    {
        if (IsDead || _isAsked)
            return WayAction.None;
        return Ask(now);
    }

    /// <summary>Acts on what is due.</summary>
    public WayAction HandleTimeout(TimeSpan now)
    {
        TimeSpan due = NextTimeout;
        if (now < due)
            return WayAction.None;
        if (now - due > _timing.StallMargin && _stalls < StallsMax)
        {
            _stalls++;
            _heard = now;
            return Ask(now);
        }

        if (!_isAsked || now < _heard + Limit)
            return Ask(now);
        IsDead = true;
        return WayAction.Cut;
    }

    private WayAction Ask(TimeSpan now)
    {
        _isAsked = true;
        _asked = now;
        return WayAction.Pulse;
    }
}
