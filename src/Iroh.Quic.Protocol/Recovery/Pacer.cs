using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Recovery;

/// <summary>
/// Spreads the congestion window over the round trip (RFC 9002 §7.7): a token bucket that fills at 1.25 × window / smoothed
/// RTT and holds about two milliseconds of that.
/// </summary>
internal sealed class Pacer
{
    /// <summary>Packets that may leave back to back even on the slowest path: the initial window (RFC 9002 §7.7).</summary>
    public const int BurstPacketsMin = 10;

    /// <summary>Packets that leave back to back at most; a few segmentation-offload batches.</summary>
    public const int BurstPacketsMax = 256;

    /// <summary>The burst that is aimed at: long enough for timers and batches to be cheap, short next to router queues.</summary>
    private const long BurstNanoseconds = 2_000_000;

    /// <summary>The longest wait asked for in one step, so that a window that grows meanwhile is noticed.</summary>
    private const long WaitNanosecondsMax = 10_000_000;

    /// <summary>Waits shorter than this are not worth a timer: a path on which the bucket fills that fast is not paced.</summary>
    private const long WaitNanosecondsMin = 1_000_000;

    private double _tokens;
    private double _capacity;
    private double _bytesPerNanosecond;
    private Instant _filledAt;

    /// <summary>
    /// When <paramref name="bytes"/> may leave: <paramref name="now"/> or earlier if at once. Does not apply to packets with only
    /// ACKs and to probes (RFC 9002 §7.7, §6.2.4).
    /// </summary>
    /// <param name="now">The present.</param>
    /// <param name="bytes">Size of what is to be sent next.</param>
    /// <param name="window">The congestion window in bytes.</param>
    /// <param name="smoothedRtt">The smoothed RTT.</param>
    /// <param name="maxDatagramSize">The present datagram size in bytes.</param>
    public Instant NextSendTime(Instant now, int bytes, long window, TimeSpan smoothedRtt, int maxDatagramSize)
    {
        Fill(now, window, smoothedRtt, maxDatagramSize);

        // Where one burst holds the whole window there is nothing to spread.
        if (_tokens >= Math.Min(bytes, _capacity) || smoothedRtt.Ticks * 100 <= BurstNanoseconds)
            return now;

        // Waiting until the bucket is full, not just until one packet fits, makes one timer serve a whole burst.
        double wait = (_capacity - _tokens) / _bytesPerNanosecond;
        return wait < WaitNanosecondsMin ? now : new Instant(now.Nanoseconds + (long)Math.Min(wait, WaitNanosecondsMax));
    }

    /// <summary>Takes what was sent out of the bucket; packets that did not have to ask count as well.</summary>
    public void OnPacketSent(int bytes) => _tokens = Math.Max(_tokens - bytes, -_capacity);

    private void Fill(Instant now, long window, TimeSpan smoothedRtt, int maxDatagramSize)
    {
        double rttNanoseconds = Math.Max(smoothedRtt.Ticks * 100.0, 1000.0);
        _bytesPerNanosecond = 1.25 * window / rttNanoseconds;
        double capacity = Math.Clamp(
            window * (BurstNanoseconds / rttNanoseconds),
            (double)BurstPacketsMin * maxDatagramSize,
            (double)BurstPacketsMax * maxDatagramSize);

        // The bucket starts full: the initial window may leave at once.
        if (_capacity == 0)
        {
            _tokens = capacity;
            _filledAt = now;
        }

        _capacity = capacity;
        long elapsed = Math.Max(0, now.Nanoseconds - _filledAt.Nanoseconds);
        _tokens = Math.Min(_capacity, _tokens + (elapsed * _bytesPerNanosecond));
        _filledAt = Instant.Max(now, _filledAt);
    }
}
