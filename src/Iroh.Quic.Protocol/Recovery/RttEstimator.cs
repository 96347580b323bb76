using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Recovery;

/// <summary>The round-trip time of one 4-tuple (RFC 9002 §5).</summary>
internal sealed class RttEstimator
{
    /// <summary>Assumed before the first sample (<c>kInitialRtt</c>, RFC 9002 §6.2.2).</summary>
    public static readonly TimeSpan InitialRtt = TimeSpan.FromMilliseconds(333);

    /// <summary>The shortest time that timers are asked to tell apart (<c>kGranularity</c>, RFC 9002 §6.1.2).</summary>
    public static readonly TimeSpan Granularity = TimeSpan.FromMilliseconds(1);

    /// <summary>Starts without samples, from <see cref="InitialRtt"/>.</summary>
    public RttEstimator()
        : this(InitialRtt)
    {
    }

    /// <summary>
    /// Starts without samples from a guess that is better than <see cref="InitialRtt"/>, such as the time in which a new path
    /// was validated (RFC 9002 §6.2.2).
    /// </summary>
    public RttEstimator(TimeSpan initial)
    {
        Smoothed = Latest = initial;
        Variation = initial / 2;
    }

    /// <summary>The last sample (<c>latest_rtt</c>), or the initial value.</summary>
    public TimeSpan Latest { get; private set; }

    /// <summary><c>smoothed_rtt</c>.</summary>
    public TimeSpan Smoothed { get; private set; }

    /// <summary><c>rttvar</c>.</summary>
    public TimeSpan Variation { get; private set; }

    /// <summary>The smallest sample (<c>min_rtt</c>), zero before the first.</summary>
    public TimeSpan Min { get; private set; }

    /// <summary>When the first sample was taken, <see cref="Instant.Never"/> before (<c>first_rtt_sample</c>).</summary>
    public Instant FirstSampleAt { get; private set; } = Instant.Never;

    /// <summary>The base of the probe timeout: smoothed_rtt + max(4 × rttvar, granularity) (RFC 9002 §6.2.1), without max_ack_delay.</summary>
    public TimeSpan ProbeTimeoutBase => Smoothed + Longer(new TimeSpan(Variation.Ticks * 4), Granularity);

    /// <summary>How long after a packet an older one is lost: max(9/8 × max(latest, smoothed), granularity) (RFC 9002 §6.1.2).</summary>
    public TimeSpan LossDelay =>
        Longer(new TimeSpan(Longer(Latest, Smoothed).Ticks * 9 / 8), Granularity);

    /// <summary>Takes a sample (RFC 9002 §5.3, §A.7).</summary>
    /// <param name="now">When the ACK arrived.</param>
    /// <param name="latest">From sending the largest newly acknowledged packet until now.</param>
    /// <param name="ackDelay">The delay that the peer reports, decoded; zero for Initial packets.</param>
    /// <param name="ackDelayMax">The peer's max_ack_delay once the handshake is confirmed; before that the delay is not capped.</param>
    public void AddSample(Instant now, TimeSpan latest, TimeSpan ackDelay, TimeSpan ackDelayMax)
    {
        // A clock that did not move must not make the smoothed RTT zero: every timer is a multiple of it.
        latest = Longer(latest, TimeSpan.FromMicroseconds(1));
        Latest = latest;
        if (FirstSampleAt == Instant.Never)
        {
            FirstSampleAt = now;
            Min = Smoothed = latest;
            Variation = latest / 2;
            return;
        }

        // §5.2: min_rtt never takes the ack delay into account.
        if (latest < Min)
            Min = latest;
        if (ackDelay > ackDelayMax)
            ackDelay = ackDelayMax;

        // §5.3: the delay is subtracted only if the result is not below min_rtt.
        TimeSpan adjusted = latest - Min >= ackDelay ? latest - ackDelay : latest;
        Variation = ((Variation * 3) + (Smoothed - adjusted).Duration()) / 4;
        Smoothed = ((Smoothed * 7) + adjusted) / 8;
    }

    /// <summary>Persistent congestion: the path may have changed, so min_rtt starts from the newest sample (RFC 9002 §5.2).</summary>
    public void OnPersistentCongestion() => Min = Latest;

    private static TimeSpan Longer(TimeSpan a, TimeSpan b) => a >= b ? a : b;
}
