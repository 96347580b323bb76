namespace Iroh.Quic.Protocol.Recovery;

/// <summary>How long to wait for acknowledgements before probing (PTO, RFC 9002 §6.2), with its backoff.</summary>
internal sealed class ProbeTimeout
{
    /// <summary>Packets sent when it expires: one may be lost as well (RFC 9002 §6.2.4).</summary>
    public const int Probes = 2;

    /// <summary>The default of <see cref="IntervalMax"/>.</summary>
    public static readonly TimeSpan DefaultIntervalMax = TimeSpan.FromSeconds(2);

    /// <summary>Keeps the shift in range; by then the cap has long decided.</summary>
    private const int ExponentMax = 16;

    /// <summary>Expiries since the last acknowledgement (<c>pto_count</c>).</summary>
    public int Count { get; private set; }

    /// <summary>
    /// The longest wait with backoff, unless 1.5 round trips are longer. DEVIATES: RFC 9002 §6.2.1 doubles without end; a path
    /// that came back would then stay silent for many seconds. Paths with a short idle timeout use less.
    /// </summary>
    public TimeSpan IntervalMax { get; set; } = DefaultIntervalMax;

    /// <summary>The wait from the last ack-eliciting packet until the next expiry.</summary>
    /// <param name="rtt">Of the 4-tuple in use.</param>
    /// <param name="maxAckDelay">The peer's max_ack_delay for application data, zero for the other spaces (RFC 9002 §6.2.1).</param>
    public TimeSpan Interval(RttEstimator rtt, TimeSpan maxAckDelay)
    {
        long interval = (rtt.ProbeTimeoutBase + maxAckDelay).Ticks << Math.Min(Count, ExponentMax);
        long longest = Math.Max(IntervalMax.Ticks, rtt.Smoothed.Ticks * 3 / 2);
        return new TimeSpan(Math.Min(interval, longest));
    }

    /// <summary>The timer expired: the next wait is twice as long.</summary>
    public void OnExpired() => Count++;

    /// <summary>Something was acknowledged, or keys were discarded (RFC 9002 §6.2.1, §6.2.2).</summary>
    public void Reset() => Count = 0;
}
