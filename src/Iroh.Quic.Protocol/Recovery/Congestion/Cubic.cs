using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Recovery.Congestion;

/// <summary>CUBIC (RFC 9438): after a congestion event the window returns to where it was along a cubic curve of time.</summary>
/// <remarks>
/// A stage of congestion avoidance begins with the first ACK that lets the window grow after slow start or a recovery period.
/// Windows are kept in bytes; the constants of the RFC are in segments, so the datagram size scales them.
/// </remarks>
internal sealed class Cubic : CongestionController
{
    /// <summary>How aggressive the curve is, in segments per second cubed (RFC 9438 §5.1: 0.4).</summary>
    public const double C = 0.4;

    /// <summary>What is left of the window after a congestion event (RFC 9438 §4.6: 0.7).</summary>
    public const double Beta = 0.7;

    /// <summary>Segments per window that a Reno flow of the same average rate would gain (RFC 9438 §4.3).</summary>
    private const double AlphaReno = 3 * (1 - Beta) / (1 + Beta);

    private double _windowMax;
    private double _windowBeforeEvent;
    private double _renoWindow;
    private double _k;
    private Instant _epochStart;
    private Instant _lastAckAt;
    private bool _isInEpoch;

    /// <inheritdoc/>
    public Cubic(int maxDatagramSize)
        : base(maxDatagramSize)
    {
    }

    /// <inheritdoc/>
    protected override long GrowInAvoidance(Instant now, long acknowledged, TimeSpan smoothedRtt)
    {
        if (!_isInEpoch)
            StartEpoch(now);
        _lastAckAt = now;

        double window = Window;
        double elapsed = (now - _epochStart).TotalSeconds;

        // §4.3: the Reno-friendly estimate; from the window of the last event on it grows like Reno itself.
        double alpha = _renoWindow >= _windowBeforeEvent ? 1 : AlphaReno;
        _renoWindow += alpha * MaxDatagramSize * acknowledged / window;

        // §4.2: where the curve will be in one round trip, at most half a window further.
        double target = Math.Clamp(CurveAt(elapsed + smoothedRtt.TotalSeconds), window, 1.5 * window);

        // §4.3: never behind Reno. §4.4, §4.5: else (target - cwnd) / cwnd for each segment acknowledged. Bytes cut off by
        // rounding are not lost: the next target is a function of time, not of the window.
        return CurveAt(elapsed) < _renoWindow
            ? (long)Math.Max(window, _renoWindow)
            : (long)(window + ((target - window) * acknowledged / window));
    }

    /// <inheritdoc/>
    protected override long Reduce(long window)
    {
        // §4.7, fast convergence: a flow that did not get back to its last maximum leaves room for others.
        _windowMax = window < _windowMax ? window * (1 + Beta) / 2 : window;
        _windowBeforeEvent = window;
        _isInEpoch = false;

        // §4.6 starts from flight_size and allows cwnd where growth stops while the window is not filled, as it does here.
        return (long)(window * Beta);
    }

    /// <inheritdoc/>
    protected override void OnWindowUnderused(Instant now)
    {
        // §4.2, §5.8: time in which the application does not fill the window does not count, or the curve would leap afterwards.
        if (!_isInEpoch)
            return;
        _epochStart += now - _lastAckAt;
        _lastAckAt = now;
    }

    /// <inheritdoc/>
    protected override void OnCollapse()
    {
        // §4.8: as after a timeout, the curve starts anew when slow start ends.
        _isInEpoch = false;
    }

    private void StartEpoch(Instant now)
    {
        _isInEpoch = true;
        _epochStart = _lastAckAt = now;
        _renoWindow = Window;

        // §4.2: K is the time until the curve reaches the old maximum; from above it, the curve starts here.
        if (_windowMax <= Window)
        {
            _windowMax = Window;
            _k = 0;
        }
        else
        {
            _k = Math.Cbrt((_windowMax - Window) / MaxDatagramSize / C);
        }
    }

    /// <summary>W_cubic(t) = C × (t - K)³ + W_max (RFC 9438 §4.2), in bytes.</summary>
    private double CurveAt(double seconds)
    {
        double distance = seconds - _k;
        return (C * distance * distance * distance * MaxDatagramSize) + _windowMax;
    }
}
