using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Recovery.Congestion;

/// <summary>
/// The congestion window of one 4-tuple (RFC 9002 §7). Slow start, recovery periods, persistent congestion and the count of
/// bytes in flight are common to all algorithms; an algorithm decides how the window grows and shrinks in between.
/// </summary>
internal abstract class CongestionController
{
    /// <summary>The initial window before it is clamped to 2..10 datagrams (RFC 9002 §7.2).</summary>
    private const int InitialWindowBytes = 14720;

    private const int InitialWindowDatagramsMax = 10;

    private const int WindowDatagramsMin = 2;

    /// <summary>How much of the window may be unused at an ACK before it counts as under-used: what one ACK and one send batch leave open.</summary>
    private const int SlackDatagrams = 3;

    private long _acknowledged;
    private long _inFlightBeforeAck;
    private Instant _recoveryStartedAt = new(long.MinValue);

    /// <summary>Starts with the initial window, in slow start.</summary>
    /// <param name="maxDatagramSize">Bytes of UDP payload.</param>
    protected CongestionController(int maxDatagramSize)
    {
        MaxDatagramSize = maxDatagramSize;
        Window = InitialWindow(maxDatagramSize);
    }

    /// <summary>The congestion window in bytes (<c>congestion_window</c>).</summary>
    public long Window { get; private set; }

    /// <summary>Bytes of unresolved in-flight packets (<c>bytes_in_flight</c>).</summary>
    public long BytesInFlight { get; private set; }

    /// <summary>Below this the window grows by slow start (<c>ssthresh</c>).</summary>
    public long SlowStartThreshold { get; private set; } = long.MaxValue;

    /// <summary>Whether the window is below the slow start threshold (RFC 9002 §7.3.1).</summary>
    public bool IsInSlowStart => Window < SlowStartThreshold;

    /// <summary>How often the window was reduced.</summary>
    public long CongestionEvents { get; private set; }

    /// <summary>The datagram size that windows are multiples of, in bytes.</summary>
    protected int MaxDatagramSize { get; private set; }

    /// <summary>The smallest window: two datagrams (RFC 9002 §7.2).</summary>
    protected long MinimumWindow => (long)WindowDatagramsMin * MaxDatagramSize;

    /// <summary>Whether <paramref name="bytes"/> more may be in flight (RFC 9002 §7). Probes and ACK-only packets need not ask.</summary>
    public bool CanSend(int bytes) => BytesInFlight + bytes <= Window;

    /// <summary>Counts an in-flight packet.</summary>
    public void OnPacketSent(int bytes) => BytesInFlight += bytes;

    /// <summary>An in-flight packet was acknowledged. The window grows when the whole ACK has been read: <see cref="OnAckEnd"/>.</summary>
    public void OnPacketAcknowledged(Instant sentAt, int bytes)
    {
        _inFlightBeforeAck = Math.Max(_inFlightBeforeAck, BytesInFlight);
        BytesInFlight -= bytes;

        // RFC 9002 §7.3.2: packets sent before the recovery period do not let the window grow.
        if (sentAt > _recoveryStartedAt)
            _acknowledged += bytes;
    }

    /// <summary>The packets of one ACK have all been reported.</summary>
    /// <param name="now">When it arrived.</param>
    /// <param name="smoothedRtt">After the sample of this ACK.</param>
    public void OnAckEnd(Instant now, TimeSpan smoothedRtt)
    {
        long acknowledged = _acknowledged;
        bool isUsed = IsWindowUsed(_inFlightBeforeAck);
        _acknowledged = _inFlightBeforeAck = 0;
        if (acknowledged == 0)
            return;

        // RFC 9002 §7.8: no growth while the application does not fill the window.
        if (!isUsed)
        {
            OnWindowUnderused(now);
            return;
        }

        if (IsInSlowStart)
            SetWindow(Window + acknowledged);
        else
            SetWindow(GrowInAvoidance(now, acknowledged, smoothedRtt));
    }

    /// <summary>An in-flight packet was lost; <see cref="OnCongestionEvent"/> follows once for all of them, unless they were only MTU probes.</summary>
    public void OnPacketLost(int bytes) => BytesInFlight -= bytes;

    /// <summary>An in-flight packet will never be acknowledged because its keys are gone (RFC 9002 §6.4).</summary>
    public void OnPacketDiscarded(int bytes) => BytesInFlight -= bytes;

    /// <summary>Loss or a CE mark (RFC 9002 §7.3.2, <c>OnCongestionEvent</c>): shrinks the window once per recovery period.</summary>
    /// <param name="now">The recovery period starts here.</param>
    /// <param name="sentAt">When the newest lost, or the largest newly acknowledged, packet was sent.</param>
    public void OnCongestionEvent(Instant now, Instant sentAt)
    {
        if (sentAt <= _recoveryStartedAt)
            return;
        _recoveryStartedAt = now;
        CongestionEvents++;

        // What the same ACK acknowledged was sent before this period: losses are taken into account first (RFC 9002 §A.7).
        _acknowledged = 0;
        SlowStartThreshold = Math.Max(Reduce(Window), MinimumWindow);
        SetWindow(SlowStartThreshold);
    }

    /// <summary>Nothing came through for a while (RFC 9002 §7.6.2): the window collapses and slow start begins again.</summary>
    public void OnPersistentCongestion()
    {
        _recoveryStartedAt = new Instant(long.MinValue);
        SetWindow(MinimumWindow);
        OnCollapse();
    }

    /// <summary>The 4-tuple now takes datagrams of <paramref name="bytes"/>.</summary>
    public void SetMaxDatagramSize(int bytes)
    {
        // RFC 9002 §7.2: the initial window follows the datagram size while nothing has been learnt.
        bool isInitial = CongestionEvents == 0 && Window == InitialWindow(MaxDatagramSize);
        MaxDatagramSize = bytes;
        SetWindow(isInitial ? InitialWindow(bytes) : Window);
    }

    /// <summary>Replaces the count of bytes in flight, when a 4-tuple is taken up again after another was in use.</summary>
    public void RestoreBytesInFlight(long bytes) => BytesInFlight = bytes;

    /// <summary>The window after an ACK in congestion avoidance, in bytes.</summary>
    /// <param name="now">When the ACK arrived.</param>
    /// <param name="acknowledged">Bytes newly acknowledged that were sent after the last recovery period began.</param>
    /// <param name="smoothedRtt">The smoothed RTT.</param>
    protected abstract long GrowInAvoidance(Instant now, long acknowledged, TimeSpan smoothedRtt);

    /// <summary>The window after a congestion event, in bytes, before the minimum is applied.</summary>
    protected abstract long Reduce(long window);

    /// <summary>An ACK arrived while the window was not filled.</summary>
    protected abstract void OnWindowUnderused(Instant now);

    /// <summary>The window collapsed in persistent congestion.</summary>
    protected abstract void OnCollapse();

    private static long InitialWindow(int maxDatagramSize) =>
        Math.Min((long)InitialWindowDatagramsMax * maxDatagramSize, Math.Max(InitialWindowBytes, (long)WindowDatagramsMin * maxDatagramSize));

    private void SetWindow(long window) => Window = Math.Max(window, MinimumWindow);

    /// <summary>
    /// In slow start half a window in flight is enough: the ACKs of one flight arrive spread out, and each lets twice its bytes
    /// leave. Later the window counts as used when no more than a few datagrams would have fitted.
    /// </summary>
    private bool IsWindowUsed(long inFlight) =>
        inFlight + ((long)SlackDatagrams * MaxDatagramSize) >= Window || (IsInSlowStart && inFlight > Window / 2);
}
