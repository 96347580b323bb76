using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Paths;

/// <summary>What happened to a connection since <see cref="PathPolicy"/> looked last.</summary>
[Flags]
internal enum PathNews
{
    /// <summary>Nothing but time.</summary>
    None = 0,

    /// <summary>This end's candidates for hole punching are others than before.</summary>
    CandidatesChanged = 1,

    /// <summary>A path was closed.</summary>
    PathLost = 2,

    /// <summary>A path that could not be opened for want of ids can be tried again.</summary>
    PathsAvailable = 4,

    /// <summary>The machine's network has changed.</summary>
    NetworkChanged = 8,

    /// <summary>The peer's candidates for hole punching are others than before.</summary>
    PeerCandidatesChanged = 16,
}

/// <summary>What a connection is like when <see cref="PathPolicy"/> looks at it.</summary>
internal readonly ref struct PathSituation
{
    /// <summary>The open paths, validated or not.</summary>
    public required ReadOnlySpan<PathView> Paths { get; init; }

    /// <summary>Virtual addresses at which relays reach the peer, best first; empty if none is known.</summary>
    public required ReadOnlySpan<NetworkAddress> Relays { get; init; }

    /// <summary>Whether both ends take part in hole punching and this one has candidates for it.</summary>
    public required bool CanPunch { get; init; }

    /// <summary>Whether the peer is known to have candidates. The first round need not wait for them: it tells the peer this end's.</summary>
    public required bool HasPeerCandidates { get; init; }

    /// <summary>What happened.</summary>
    public required PathNews News { get; init; }
}

/// <summary>What <see cref="PathPolicy"/> wants done.</summary>
internal sealed class PathDecision
{
    /// <summary>The path that data should take; null if there is none. All others are backups.</summary>
    public PathId? Selected { get; set; }

    /// <summary>A relay to open a backup path over, unspecified if none.</summary>
    public NetworkAddress OpenRelay { get; set; }

    /// <summary>Whether to start a round of hole punching.</summary>
    public bool StartRound { get; set; }

    /// <summary>Paths that are of no use any more.</summary>
    public List<PathId> Close { get; } = [];

    /// <summary>When to look again although nothing happens.</summary>
    public Instant LookAgain { get; set; } = Instant.Never;
}

/// <summary>
/// Decides for one connection which path data takes, when to look for direct ones, when to open the relay as a backup, and which paths are
/// one too many. A pure function of what it is told and of what it decided before. Only the end that dialled opens and closes paths; both
/// select the path on which they send.
/// </summary>
internal sealed class PathPolicy
{
    /// <summary>Round trip times change without an event: how often to look at them.</summary>
    private static readonly TimeSpan s_lookEvery = TimeSpan.FromSeconds(5);

    // A relay path that did not come up, or went down, is tried again after this, growing to the second.
    private static readonly TimeSpan s_relayRetryFirst = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_relayRetryMax = TimeSpan.FromSeconds(60);

    private readonly bool _isClient;
    private readonly PunchSchedule _punching = new();
    private PathId? _selected;
    private bool _hadDirect;
    private Instant _relayTriedAt = Instant.Never;
    private TimeSpan _relayRetry = s_relayRetryFirst;
    private int _relayTurn;

    /// <param name="isClient">Whether this end dialled.</param>
    public PathPolicy(bool isClient)
    {
        _isClient = isClient;
        _punching.OnReason();
    }

    /// <summary>Looks at the connection.</summary>
    /// <param name="now">The present.</param>
    /// <param name="situation">How it is.</param>
    public PathDecision Look(Instant now, in PathSituation situation)
    {
        _selected = PathSelector.Select(situation.Paths, _selected);
        var decision = new PathDecision { Selected = _selected, LookAgain = now + s_lookEvery };
        if (!_isClient)
            return decision;
        TimeSpan? direct = BestDirect(situation.Paths);
        DecidePunching(now, situation, direct, decision);
        DecideRelay(now, situation, decision);
        if (direct is not null)
            CloseSurplus(situation.Paths, decision);
        return decision;
    }

    /// <summary>A path over a relay could not be opened at once; it is tried again when ids are there, or after a while.</summary>
    public void OnRelayRefused() => _relayTriedAt = Instant.Never;

    private static TimeSpan? BestDirect(ReadOnlySpan<PathView> paths)
    {
        TimeSpan? best = null;
        foreach (PathView path in paths)
        {
            if (path.Works && !path.IsRelayed && (best is null || path.RoundTripTime < best))
                best = path.RoundTripTime;
        }

        return best;
    }

    private void DecidePunching(Instant now, in PathSituation situation, TimeSpan? direct, PathDecision decision)
    {
        bool lostDirect = _hadDirect && direct is null;
        _hadDirect = direct is not null;
        if (lostDirect || (situation.News & (PathNews.CandidatesChanged | PathNews.NetworkChanged)) != 0)
            _punching.OnReason();
        if ((situation.News & PathNews.PeerCandidatesChanged) != 0)
            _punching.OnPeerCandidates(now);
        if (!situation.CanPunch || (!situation.HasPeerCandidates && _punching.HasBegun))
            return;
        Instant due = _punching.Due(now, direct);
        if (due <= now)
        {
            decision.StartRound = true;
            _punching.OnRound(now);
            due = _punching.Due(now, direct);
        }

        decision.LookAgain = Instant.Min(decision.LookAgain, due);
    }

    private void DecideRelay(Instant now, in PathSituation situation, PathDecision decision)
    {
        if (situation.Relays.IsEmpty)
            return;
        foreach (PathView path in situation.Paths)
        {
            if (!path.IsRelayed || (path.IsValidated && path.IsSilent))
                continue;
            if (path.IsValidated)
                _relayRetry = s_relayRetryFirst;
            return;
        }

        if ((situation.News & (PathNews.PathsAvailable | PathNews.NetworkChanged)) != 0)
            _relayTriedAt = Instant.Never;
        Instant due = _relayTriedAt == Instant.Never ? now : _relayTriedAt + _relayRetry;
        if (due > now)
        {
            decision.LookAgain = Instant.Min(decision.LookAgain, due);
            return;
        }

        // One relay after the other, should the peer name several.
        decision.OpenRelay = situation.Relays[_relayTurn++ % situation.Relays.Length];
        if (_relayTriedAt != Instant.Never)
            _relayRetry = _relayRetry * 2 < s_relayRetryMax ? _relayRetry * 2 : s_relayRetryMax;
        _relayTriedAt = now;
        decision.LookAgain = Instant.Min(decision.LookAgain, now + _relayRetry);
    }

    /// <summary>Of direct paths the selected one stays, and the best of the other address family, which fails for other reasons.</summary>
    private void CloseSurplus(ReadOnlySpan<PathView> paths, PathDecision decision)
    {
        if (Find(paths, _selected) is not { IsRelayed: false, Works: true } selected)
            return;
        PathView? other = null;
        foreach (PathView path in paths)
        {
            if (path is { IsRelayed: false, Works: true } && path.Remote.IsIPv4 != selected.Remote.IsIPv4
                && (other is not { } best || path.RoundTripTime < best.RoundTripTime))
            {
                other = path;
            }
        }

        foreach (PathView path in paths)
        {
            // One that is not validated yet may turn out to be the better one; a silent one may come back, or ends by its idle timer.
            if (path is { IsRelayed: false, Works: true } && path.Id != selected.Id && path.Id != other?.Id)
                decision.Close.Add(path.Id);
        }
    }

    private static PathView? Find(ReadOnlySpan<PathView> paths, PathId? id)
    {
        foreach (PathView path in paths)
        {
            if (path.Id == id)
                return path;
        }

        return null;
    }
}
