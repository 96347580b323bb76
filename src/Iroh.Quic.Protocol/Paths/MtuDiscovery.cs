using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Paths;

/// <summary>
/// Finds the largest datagram a 4-tuple carries (DPLPMTUD: RFC 8899, RFC 9000 §14.3). All sizes are bytes of UDP payload.
/// </summary>
/// <remarks>
/// Searching (one probe at a time: the sizes of real links in rising order; where Ethernet's does not pass, halving the interval
/// below it) → Complete (nothing larger is worth a probe; searches again after a while) → Searching. A black hole leads from
/// either to Complete at the base size, with a shorter pause.
/// </remarks>
internal sealed class MtuDiscovery
{
    /// <summary>What every QUIC path carries (BASE_PLPMTU, RFC 9000 §14.1).</summary>
    public const int BaseSize = 1200;

    /// <summary>The default upper bound: Ethernet's 1500 bytes without the headers of IPv6 and UDP.</summary>
    public const int DefaultUpperBound = 1452;

    /// <summary>A search ends when the best size is known to within this many bytes: less is not worth a lost probe.</summary>
    public const int StepMin = 20;

    /// <summary>Probes of one size that are lost before it is taken not to pass (MAX_PROBES, RFC 8899 §5.1.2).</summary>
    public const int ProbesMax = 3;

    /// <summary>
    /// Loss events in a row that hit only datagrams above the base size, while none of those arrived, that are still taken for
    /// chance; one more and the path is taken to have shrunk.
    /// </summary>
    public const int SuspiciousLossesMax = 3;

    /// <summary>How long a finished search stands: PMTU_RAISE_TIMER (RFC 8899 §5.1.1).</summary>
    public static readonly TimeSpan RaiseInterval = TimeSpan.FromSeconds(600);

    /// <summary>How long after a black hole larger sizes are left alone.</summary>
    public static readonly TimeSpan BlackHolePause = TimeSpan.FromSeconds(60);

    /// <summary>
    /// What links carry, without the headers of IPv6 and UDP: Ethernet; jumbo frames of 9,000 bytes; loopback and virtual links,
    /// where a size of which four make a batch of the kernel does best. Links in between are too rare to be searched for.
    /// </summary>
    private static ReadOnlySpan<int> LinkSizes => [DefaultUpperBound, 8952, 16_200];

    private int _upperBound;
    private int _failingFrom;
    private int _probing;
    private int _lostProbes;
    private bool _isProbeInFlight;
    private int _suspiciousLosses;
    private Instant _searchAgainAt = Instant.Never;

    /// <summary>Starts at <see cref="BaseSize"/>, searching.</summary>
    /// <param name="upperBound">The largest size to try; at least <see cref="BaseSize"/>, where nothing is tried.</param>
    public MtuDiscovery(int upperBound = DefaultUpperBound)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(upperBound, BaseSize);
        _upperBound = upperBound;
        StartSearch();
    }

    /// <summary>The datagram size to use.</summary>
    public int Current { get; private set; } = BaseSize;

    /// <summary>How often the size fell back because large datagrams no longer arrived.</summary>
    public int BlackHoles { get; private set; }

    /// <summary>When a new search begins without anything else happening; <see cref="Instant.Never"/> if none is planned.</summary>
    public Instant Deadline => _searchAgainAt;

    /// <summary>The peer's max_udp_payload_size: nothing larger is tried (RFC 9000 §18.2).</summary>
    /// <param name="bytes">At least 1200, which reading the transport parameters has checked.</param>
    public void SetPeerLimit(ulong bytes)
    {
        if (bytes >= (ulong)_upperBound)
            return;
        _upperBound = Math.Max((int)bytes, BaseSize);
        Current = Math.Min(Current, _upperBound);
        if (_searchAgainAt == Instant.Never)
            StartSearch();
    }

    /// <summary>Whether to send a probe now, and of which size. Ask only once the handshake is confirmed (RFC 9000 §14.3).</summary>
    public bool TryGetProbe(Instant now, out int size)
    {
        if (_searchAgainAt <= now)
            StartSearch();
        size = _probing;
        return size != 0 && !_isProbeInFlight;
    }

    /// <summary>The probe that was asked for has left.</summary>
    public void OnProbeSent() => _isProbeInFlight = true;

    /// <summary>A probe arrived.</summary>
    /// <param name="now">When its ACK did.</param>
    /// <param name="size">The probe's size.</param>
    /// <returns>True if <see cref="Current"/> grew.</returns>
    public bool OnProbeAcknowledged(Instant now, int size)
    {
        _isProbeInFlight = false;
        _suspiciousLosses = 0;

        // A probe from before a black hole, or above a limit learnt since, says nothing of the present search.
        if (_probing == 0 || size <= Current || size >= _failingFrom)
            return false;
        Current = size;
        ChooseProbe(now);
        return true;
    }

    /// <summary>A probe was lost.</summary>
    public void OnProbeLost(Instant now, int size)
    {
        _isProbeInFlight = false;
        if (size != _probing || ++_lostProbes < ProbesMax)
            return;
        _failingFrom = size;
        ChooseProbe(now);
    }

    /// <summary>The fate of a probe in flight will never be known, because another 4-tuple was in use meanwhile.</summary>
    public void OnProbeForgotten() => _isProbeInFlight = false;

    /// <summary>A packet that is no probe arrived.</summary>
    public void OnPacketAcknowledged(int size)
    {
        if (size > BaseSize)
            _suspiciousLosses = 0;
    }

    /// <summary>Packets that are no probes were declared lost together.</summary>
    /// <param name="now">The present.</param>
    /// <param name="smallestSize">The smallest of them.</param>
    /// <returns>True if the path is taken for a black hole (RFC 8899 §4.3) and <see cref="Current"/> fell back to <see cref="BaseSize"/>.</returns>
    public bool OnPacketsLost(Instant now, int smallestSize)
    {
        if (smallestSize <= BaseSize || ++_suspiciousLosses <= SuspiciousLossesMax)
            return false;
        BlackHoles++;
        _suspiciousLosses = 0;
        Current = BaseSize;
        _probing = 0;
        _searchAgainAt = now + BlackHolePause;
        return true;
    }

    private void StartSearch()
    {
        _searchAgainAt = Instant.Never;
        _failingFrom = _upperBound + 1;
        _lostProbes = 0;

        _probing = NextLinkSize();
    }

    private void ChooseProbe(Instant now)
    {
        _lostProbes = 0;
        bool hasFailed = _failingFrom <= _upperBound;
        _probing = hasFailed ? Halfway() : NextLinkSize();
        if (_probing == 0 && hasFailed)
            _searchAgainAt = now + RaiseInterval;
    }

    /// <summary>The next larger link size within the bound, or the bound itself where that is below Ethernet's; 0 if there is none.</summary>
    private int NextLinkSize()
    {
        foreach (int size in LinkSizes)
        {
            if (size > Current && size <= _upperBound)
                return size;
        }

        return _upperBound > Current && _upperBound < DefaultUpperBound ? _upperBound : 0;
    }

    /// <summary>The middle of what works and what does not, below Ethernet's size only; 0 if the rest is not worth a probe.</summary>
    private int Halfway()
    {
        int interval = _failingFrom - 1 - Current;
        return _failingFrom <= DefaultUpperBound && interval >= StepMin ? Current + ((interval + 1) / 2) : 0;
    }
}
