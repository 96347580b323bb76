using Iroh.Quic.Protocol.Primitives;

namespace Iroh.PortMapping;

/// <summary>When a gateway is asked again. No I/O and no clock. Not thread-safe.</summary>
internal sealed class MappingSchedule
{
    // A lease of seconds would have us ask without a pause.
    private static readonly TimeSpan s_renewalMin = TimeSpan.FromSeconds(30);

    // Failed renewals are repeated while the lease lasts.
    private static readonly TimeSpan s_retry = TimeSpan.FromMinutes(1);

    // A gateway that does not forward today rarely does so tomorrow; who switches it on waits this long, or for the next change.
    private static readonly TimeSpan s_pauseMax = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_pauseMin = TimeSpan.FromMinutes(1);
    private const int DoublingsMax = 6;

    private int _failures;
    private Instant _expires;

    /// <summary>When to ask next; at once in the beginning.</summary>
    public Instant Next { get; private set; }

    /// <summary>Whether a mapping is held that has not run out.</summary>
    public bool IsHeld(Instant now) => _expires > now;

    /// <summary>The gateway granted or renewed a mapping: it is renewed at half of its life.</summary>
    public void OnGranted(Instant now, TimeSpan lifetime)
    {
        _failures = 0;
        _expires = now + lifetime;
        TimeSpan half = lifetime / 2;
        Next = now + (half > s_renewalMin ? half : s_renewalMin);
    }

    /// <summary>The gateway did not grant it.</summary>
    public void OnFailed(Instant now)
    {
        TimeSpan pause = s_pauseMin * (1 << Math.Min(_failures, DoublingsMax));
        _failures++;
        Next = now + (IsHeld(now) ? s_retry : pause < s_pauseMax ? pause : s_pauseMax);
    }

    /// <summary>The network is another one, or the port: what was granted is worth nothing.</summary>
    public void Restart(Instant now)
    {
        _failures = 0;
        _expires = default;
        Next = now;
    }

    /// <summary>Nothing to ask for: there is no gateway.</summary>
    public void Rest()
    {
        _expires = default;
        Next = Instant.Never;
    }
}
