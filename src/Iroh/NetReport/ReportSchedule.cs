using Iroh.Quic.Protocol.Primitives;

namespace Iroh.NetReport;

/// <summary>
/// When an endpoint makes its next report and whether that is a full one. No I/O, no clock, no randomness: they come in. Not
/// thread-safe.
/// </summary>
internal sealed class ReportSchedule
{
    /// <summary>The shortest pause between two reports that nobody asked for: shorter than a NAT keeps an idle UDP mapping (30 s).</summary>
    public static readonly TimeSpan PauseMin = TimeSpan.FromSeconds(20);

    /// <summary>The longest such pause. Pauses are random, so that the endpoints of a fleet do not ask in step.</summary>
    public static readonly TimeSpan PauseMax = TimeSpan.FromSeconds(26);

    /// <summary>A full report is made at least so often.</summary>
    public static readonly TimeSpan FullInterval = TimeSpan.FromMinutes(5);

    // Whoever asks for reports again and again gets two a second.
    private static readonly TimeSpan s_askedPause = TimeSpan.FromMilliseconds(500);

    private Instant _lastStart;
    private Instant? _lastFull;
    private bool _isFullWanted = true;

    /// <summary>When the next report begins; the first one at once.</summary>
    public Instant Next { get; private set; }

    /// <summary>The report begins now.</summary>
    /// <returns>Whether it is a full one.</returns>
    public bool Begin(Instant now)
    {
        bool isFull = _isFullWanted || _lastFull is null || now - _lastFull.Value >= FullInterval;
        _lastStart = now;
        _isFullWanted = false;
        Next = Instant.Never;
        if (isFull)
            _lastFull = now;
        return isFull;
    }

    /// <summary>The report ended.</summary>
    /// <param name="now">The present moment.</param>
    /// <param name="result">What it found; null if it failed.</param>
    /// <param name="random">From 0 to 1: where between the limits the pause lies.</param>
    public void End(Instant now, NetReportResult? result, double random)
    {
        // While a captive portal is in between, everything may change with a click.
        _isFullWanted |= result?.CaptivePortal == true;
        Next = Instant.Min(Next, now + PauseMin + ((PauseMax - PauseMin) * random));
    }

    /// <summary>Something changed: a report is wanted soon.</summary>
    /// <param name="now">The present moment.</param>
    /// <param name="isMajor">Whether the network may be another one altogether.</param>
    public void Ask(Instant now, bool isMajor)
    {
        _isFullWanted |= isMajor;
        Next = Instant.Min(Next, _lastFull is null ? now : Instant.Max(now, _lastStart + s_askedPause));
    }
}
