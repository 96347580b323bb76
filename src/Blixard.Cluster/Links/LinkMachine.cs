using Iroh.Base;
using Iroh.Cryptography;

namespace Blixard.Cluster.Links;

/// <summary>
/// Decides about the one link to one peer: when to dial, which of several connections to keep, when to give one up. It does no
/// I/O and knows no clock; whoever drives it reports what happened and does what it returns. Times are those of any monotonic
/// clock. Not thread-safe.
/// <code>
///   Off ──OnMember──▶ Dialling ──OnConnected──▶ Ready
///                      ▲    │ OnDialFailed        │ OnClosed, unanswered pings
///              timeout │    ▼                     ▼
///                      └── BackingOff ◀───────────┘          OnNotMember: from anywhere to Off
/// </code>
/// A second connection while the link is ready is a contest. Between the same two processes both ends keep the one dialled by
/// the smaller endpoint id, or the newer one if the same end dialled both: it dials only when it has lost the first. But a
/// connection that would win by being there has to answer a ping first, as its other end may be gone. A second process with
/// the peer's key is turned away if the first one still answers, and takes its place if not: then it is the peer restarted.
/// A pong that is overdue, or a suspicion from the calls on the link, makes pings go out faster; silence ends the link.
/// </summary>
public sealed class LinkMachine
{
    private readonly bool _isSmaller;
    private readonly RandomSource _random;
    private readonly LinkTiming _timing;
    private LinkConnection? _current;
    private LinkConnection? _challenger;
    private TimeSpan _contestEnds;
    // As often as this in a row the process may have stood still before the silence counts all the same.
    private const int StallsMax = 4;

    private TimeSpan _lastAnswer;
    private TimeSpan _lastProbe;
    private TimeSpan _downSince;
    private int _stalls;
    private TimeSpan _readySince;
    private TimeSpan _nextDial;
    private int _failures;

    /// <summary>A link that is off.</summary>
    /// <param name="self">This node's id.</param>
    /// <param name="peer">The other node's id, a different one.</param>
    /// <param name="random">For the jitter of delays.</param>
    /// <param name="timing">The delays.</param>
    public LinkMachine(EndpointId self, EndpointId peer, RandomSource random, LinkTiming timing)
    {
        if (self == peer)
            throw new ArgumentException("A node has no link to itself.", nameof(peer));
        _isSmaller = self.CompareTo(peer) < 0;
        (_random, _timing) = (random, timing);
    }

    /// <summary>Where the link stands.</summary>
    public LinkState State { get; private set; }

    /// <summary>The connection in use, if the link is ready.</summary>
    public long? Connection => _current?.Number;

    /// <summary>The newest round trip time of a ping, null before the first.</summary>
    public TimeSpan? RoundTripTime { get; private set; }

    /// <summary>Why the link is not ready, for people; "" if it is.</summary>
    public string Reason { get; private set; } = "not a member";

    /// <summary>When <see cref="HandleTimeout"/> wants to be called; <see cref="TimeSpan.MaxValue"/> if not.</summary>
    public TimeSpan NextTimeout
    {
        get
        {
            TimeSpan next = State switch
            {
                LinkState.BackingOff => _nextDial,
                LinkState.Ready => NextCheck,
                _ => TimeSpan.MaxValue,
            };
            return _challenger is not null && _contestEnds < next ? _contestEnds : next;
        }
    }

    /// <summary>How long the dial that is to be made may take.</summary>
    public TimeSpan DialLimit => _failures % 3 == 2 ? _timing.PatientDialLimit : _timing.DialLimit;

    // How long an answer may take on this link.
    private TimeSpan Patience => RoundTripTime * 4 is { } far && far > _timing.PongPatience ? far : _timing.PongPatience;

    // The silence that ends the link.
    private TimeSpan SilenceMax => _timing.PingInterval + (2 * Patience) is var far && far > _timing.Unresponsive ? far : _timing.Unresponsive;

    private TimeSpan NextCheck
    {
        get
        {
            TimeSpan overdue = _lastAnswer + _timing.PingInterval + Patience, again = _lastProbe + _timing.ProbeInterval;
            TimeSpan probe = overdue > again ? overdue : again, end = _lastAnswer + SilenceMax;
            return probe < end ? probe : end;
        }
    }

    /// <summary>The peer is a member, or its address changed: dial, unless the link stands or a dial is under way.</summary>
    public IReadOnlyList<LinkAction> OnMember(TimeSpan now)
    {
        if (State is LinkState.Dialling or LinkState.Ready)
            return [];
        _failures = 0;
        _downSince = now;
        return Dial(now);
    }

    /// <summary>The peer left: close everything.</summary>
    public IReadOnlyList<LinkAction> OnNotMember()
    {
        var actions = new List<LinkAction>();
        CloseAll(actions, LinkCloseCode.NotMember, "you are no longer a member of this cluster");
        State = LinkState.Off;
        Reason = "not a member";
        return actions;
    }

    /// <summary>A connection with the peer stands: dialled here or accepted, its peer's key proven and its hello read.</summary>
    public IReadOnlyList<LinkAction> OnConnected(LinkConnection connection, TimeSpan now)
    {
        if (State == LinkState.Off)
            return [new LinkAction.Close(connection.Number, LinkCloseCode.NotMember, "you are not a member of this cluster")];
        if (_current is not { } current)
            return [Use(connection, now)];
        if (_challenger is { } waiting)
        {
            // One contest at a time: the newest challenger replaces the one before it.
            _challenger = null;
            return [new LinkAction.Close(waiting.Number, LinkCloseCode.Superseded, "a newer connection came"), .. OnConnected(connection, now)];
        }

        if (connection.PeerInstance == current.PeerInstance && IsPreferred(connection, current))
            return [Use(connection, now), new LinkAction.Close(current.Number, LinkCloseCode.Superseded, "another connection is kept")];
        _challenger = connection;
        _contestEnds = now + _timing.ContestLimit;
        return [new LinkAction.Probe(current.Number)];
    }

    /// <summary>A dial failed.</summary>
    /// <param name="reason">Why, for people.</param>
    /// <param name="now">The time.</param>
    public IReadOnlyList<LinkAction> OnDialFailed(string reason, TimeSpan now)
    {
        // An accepted connection may have made the link ready meanwhile.
        if (State != LinkState.Dialling)
            return [];
        BackOff(reason, now);
        return [];
    }

    /// <summary>A connection ended, by whatever side.</summary>
    /// <param name="connection">Its number.</param>
    /// <param name="reason">Why, for people.</param>
    /// <param name="now">The time.</param>
    public IReadOnlyList<LinkAction> OnClosed(long connection, string reason, TimeSpan now)
    {
        if (_challenger?.Number == connection)
            _challenger = null;
        if (_current?.Number != connection)
            return [];
        _current = null;
        if (_challenger is { } challenger)
        {
            _challenger = null;
            return [Use(challenger, now)];
        }

        // A connection that is closed as soon as it stands, such as that of a second process with this key, is one more failure.
        if (now - _readySince >= _timing.Settled)
        {
            _failures = 0;
            _downSince = now;
        }

        BackOff(reason, now);
        return [];
    }

    /// <summary>A ping was answered.</summary>
    public IReadOnlyList<LinkAction> OnPong(long connection, TimeSpan roundTripTime, TimeSpan now)
    {
        if (_current is not { } current || current.Number != connection)
            return [];
        RoundTripTime = roundTripTime;
        _lastAnswer = now;
        _stalls = 0;
        if (_challenger is not { } challenger)
            return [];
        _challenger = null;
        return challenger.PeerInstance == current.PeerInstance
            ? [new LinkAction.Close(challenger.Number, LinkCloseCode.Superseded, "another connection is kept")]
            : [new LinkAction.Close(challenger.Number, LinkCloseCode.DuplicateKey, "another running node has the same key")];
    }

    /// <summary>Calls or tunnels on the link failed: ask the peer at once, as if a ping were due, so that a dead link is given up after
    /// twice the patience.</summary>
    public IReadOnlyList<LinkAction> OnSuspected(TimeSpan now)
    {
        if (_current is not { } current)
            return [];
        TimeSpan asIfDue = now - _timing.PingInterval;
        if (_lastAnswer > asIfDue)
            _lastAnswer = asIfDue;
        return now < _lastProbe + _timing.ProbeInterval ? [] : [Probe(current, now)];
    }

    /// <summary>Acts on what is due at <paramref name="now"/>.</summary>
    public IReadOnlyList<LinkAction> HandleTimeout(TimeSpan now)
    {
        if (_current is not { } current)
            return State == LinkState.BackingOff && now >= _nextDial ? Dial(now) : [];
        if (_challenger is not null && now >= _contestEnds)
            return GiveUp(current, now);
        TimeSpan due = NextCheck;
        if (now < due)
            return [];
        if (now - due > _timing.StallMargin && _stalls < StallsMax)
        {
            _stalls++;
            _lastAnswer = now - _timing.PingInterval;
            return [Probe(current, now)];
        }

        return now < _lastAnswer + SilenceMax ? [Probe(current, now)] : GiveUp(current, now);
    }

    private LinkAction.Probe Probe(LinkConnection current, TimeSpan now)
    {
        _lastProbe = now;
        return new LinkAction.Probe(current.Number);
    }

    private IReadOnlyList<LinkAction> GiveUp(LinkConnection current, TimeSpan now)
    {
        var close = new LinkAction.Close(current.Number, LinkCloseCode.Unresponsive, "pings went unanswered");
        return [.. OnClosed(current.Number, $"no answer to pings for {(now - _lastAnswer).TotalSeconds:0.#} s", now), close];
    }

    // Both ends come to the same answer from what both know: who dialled which.
    private bool IsPreferred(LinkConnection connection, LinkConnection current) =>
        connection.IsDialledHere == current.IsDialledHere || connection.IsDialledHere == _isSmaller;

    private LinkAction.Use Use(LinkConnection connection, TimeSpan now)
    {
        _current = connection;
        _lastAnswer = now;
        _lastProbe = now;
        _readySince = now;
        _stalls = 0;
        RoundTripTime = null;
        State = LinkState.Ready;
        Reason = "";
        return new LinkAction.Use(connection.Number);
    }

    private IReadOnlyList<LinkAction> Dial(TimeSpan now)
    {
        State = LinkState.Dialling;
        _nextDial = now;
        Reason = Reason.Length > 0 && _failures > 0 ? Reason : "dialling";
        return [new LinkAction.Dial()];
    }

    private void BackOff(string reason, TimeSpan now)
    {
        State = LinkState.BackingOff;
        RoundTripTime = null;
        Reason = reason;
        // Full doubling up to the limit, of which half is random: nodes that lost each other do not dial in step.
        TimeSpan longest = now - _downSince < _timing.EagerFor ? _timing.EagerBackoffMax : _timing.BackoffMax;
        double delay = Math.Min(_timing.BackoffMin.TotalMilliseconds * Math.Pow(2, Math.Min(_failures, 30)), longest.TotalMilliseconds);
        double jittered = (delay / 2) + (delay / 2 * _random.NextBelow(1_000) / 1_000);
        _failures++;
        _nextDial = now + TimeSpan.FromMilliseconds(jittered);
    }

    private void CloseAll(List<LinkAction> actions, ulong code, string reason)
    {
        foreach (LinkConnection? connection in new[] { _current, _challenger })
        {
            if (connection is { } open)
                actions.Add(new LinkAction.Close(open.Number, code, reason));
        }

        _current = null;
        _challenger = null;
        RoundTripTime = null;
    }
}
