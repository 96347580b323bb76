using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Recovery.Congestion;

/// <summary>The algorithm of RFC 9002 §7 and §B: one datagram more per round trip, half the window on a congestion event.</summary>
internal sealed class NewReno : CongestionController
{
    private long _acknowledgedSinceGrowth;

    /// <inheritdoc/>
    public NewReno(int maxDatagramSize)
        : base(maxDatagramSize)
    {
    }

    /// <inheritdoc/>
    protected override long GrowInAvoidance(Instant now, long acknowledged, TimeSpan smoothedRtt)
    {
        // §B.5 adds max_datagram_size × acknowledged / window; counting whole windows loses nothing to rounding.
        _acknowledgedSinceGrowth += acknowledged;
        long windows = _acknowledgedSinceGrowth / Window;
        _acknowledgedSinceGrowth -= windows * Window;
        return Window + (windows * MaxDatagramSize);
    }

    /// <inheritdoc/>
    protected override long Reduce(long window)
    {
        _acknowledgedSinceGrowth = 0;

        // kLossReductionFactor = 0.5 (§B.1).
        return window / 2;
    }

    /// <inheritdoc/>
    protected override void OnWindowUnderused(Instant now)
    {
        // The window does not depend on time.
    }

    /// <inheritdoc/>
    protected override void OnCollapse() => _acknowledgedSinceGrowth = 0;
}
