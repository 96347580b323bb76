using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Paths;

/// <summary>
/// When the end that dialled starts the next round of hole punching. A reason (the connection is new, candidates changed, a direct path was
/// lost, the network changed) starts one at once, as far as <see cref="RoundGap"/> allows; without a direct path rounds are repeated at
/// growing intervals. Where iroh waits up to a minute after a loss, this does not wait.
/// </summary>
internal sealed class PunchSchedule
{
    /// <summary>Between rounds for a reason: a peer whose candidates flap must not have us send nine probes to each without a pause.</summary>
    public static readonly TimeSpan RoundGap = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// The first repetition comes after the probes of a round, which take about four seconds (n0 NAT traversal, nine probes an address). As iroh.
    /// </summary>
    public static readonly TimeSpan RepeatFirst = TimeSpan.FromSeconds(5);

    /// <summary>Each repetition waits twice as long as the one before, up to this. As iroh's period.</summary>
    public static readonly TimeSpan RepeatMax = TimeSpan.FromSeconds(60);

    /// <summary>
    /// With a direct path that is not <see cref="GoodEnough"/>: a better one appears with new candidates, which are a reason of their own, so
    /// this only catches what nobody was told. Rounds open paths that are then closed again; more of them would be churn.
    /// </summary>
    public static readonly TimeSpan RepeatWithDirect = TimeSpan.FromMinutes(5);

    /// <summary>A direct path this quick is not worth looking for a better one. As iroh.</summary>
    public static readonly TimeSpan GoodEnough = TimeSpan.FromMilliseconds(10);

    private bool _hasReason, _hasDoubt;
    private Instant _lastRound = Instant.Never;
    private TimeSpan _repeatAfter = RepeatFirst;

    /// <summary>There is a reason to look again.</summary>
    public void OnReason()
    {
        _hasReason = true;
        _repeatAfter = RepeatFirst;
    }

    /// <summary>Whether there was a round.</summary>
    public bool HasBegun => _lastRound != Instant.Never;

    /// <summary>
    /// The peer has named other candidates. A round that has just begun probes those, too; another one is worth something only if it leads to
    /// no direct path.
    /// </summary>
    public void OnPeerCandidates(Instant now)
    {
        if (HasBegun && now < _lastRound + RoundGap)
            _hasDoubt = true;
        else
            OnReason();
    }

    /// <summary>When a round is due, <see cref="Instant.Never"/> if none is.</summary>
    /// <param name="now">The present.</param>
    /// <param name="bestDirect">The round trip time of the best direct path that works, null if there is none.</param>
    public Instant Due(Instant now, TimeSpan? bestDirect)
    {
        if (_lastRound == Instant.Never)
            return _hasReason ? now : Instant.Never;
        if (_hasReason || (_hasDoubt && bestDirect is null))
            return Instant.Max(now, _lastRound + RoundGap);
        if (bestDirect <= GoodEnough)
            return Instant.Never;
        return _lastRound + (bestDirect is null ? _repeatAfter : RepeatWithDirect);
    }

    /// <summary>A round has started.</summary>
    public void OnRound(Instant now)
    {
        if (!_hasReason && !_hasDoubt)
            _repeatAfter = _repeatAfter * 2 < RepeatMax ? _repeatAfter * 2 : RepeatMax;
        _hasReason = _hasDoubt = false;
        _lastRound = now;
    }
}
