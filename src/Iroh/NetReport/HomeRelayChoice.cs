using Iroh.Base;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.NetReport;

/// <summary>
/// Which relay an endpoint calls home, and which it tells others. Decides from measured latencies and from what its relay connections
/// go through; does no I/O and knows no clock: time comes in. Every input returns whether <see cref="Home"/> or
/// <see cref="Advertised"/> changed. Not thread-safe.
/// <code>
///              answered fastest, or the only one             connected
///   (no home) ────────────────────────────────▶ dialling ───────────────▶ connected
///                                                  │ 2 s without success       │ lost, silent, refused
///                                                  ▼                           ▼
///                                       the next one that works, at once; the old one after a pause
/// </code>
/// A home that is connected is left only for one that is a third nearer: two relays at about the same distance would otherwise take
/// turns, and every turn costs all peers a look-up.
/// </summary>
public sealed class HomeRelayChoice
{
    /// <summary>How long a latency counts: iroh's window, about a dozen reports.</summary>
    public static readonly TimeSpan LatencyWindow = TimeSpan.FromMinutes(5);

    /// <summary>How long a chosen relay may take to connect while others might work; failover has 3 s in all.</summary>
    public static readonly TimeSpan ConnectPatience = TimeSpan.FromSeconds(2);

    // A relay that failed is tried again after a pause that doubles, from about one report's length to what nobody would notice.
    private static readonly TimeSpan s_pauseMin = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_pauseMax = TimeSpan.FromMinutes(10);
    private const int PauseDoublingsMax = 7;

    // A connection that lasted this long shows that the relay is well: its next loss is a first one again.
    private static readonly TimeSpan s_soundConnection = TimeSpan.FromMinutes(1);

    private readonly List<Candidate> _candidates = [];
    private RelayUrl? _home;
    private RelayUrl? _advertised;
    private Instant _homeSince;

    /// <summary>The relay to keep a connection to; null if there are none, or nothing is known about several.</summary>
    public RelayUrl? Home => _home;

    /// <summary>
    /// The relay to tell others: connected if any is. If none is, the last one that was, as it will most likely come back; null if none
    /// ever was.
    /// </summary>
    public RelayUrl? Advertised => _advertised;

    /// <summary>When <see cref="HandleTimeout"/> is due; <see cref="Instant.Never"/> if nothing is waited for.</summary>
    public Instant NextTimeout =>
        _candidates.Count > 1 && Find(_home) is { IsConnected: false } ? _homeSince + ConnectPatience : Instant.Never;

    /// <summary>Replaces the relay map. What is known about relays that stay is kept.</summary>
    /// <param name="now">The present moment.</param>
    /// <param name="relays">The relays in order of preference where nothing else tells them apart.</param>
    public bool SetRelays(Instant now, IReadOnlyList<RelayUrl> relays)
    {
        Candidate[] candidates = [.. relays.Distinct().Select(url => Find(url) ?? new Candidate(url))];
        _candidates.Clear();
        _candidates.AddRange(candidates);
        // Of several of which nothing is known the first report chooses; one is needed at once only if there was a home before.
        bool isChoiceDue = Find(_home) is null && (_home is not null || candidates.Length == 1);
        return (isChoiceDue && Choose(now, null)) | Advertise();
    }

    /// <summary>
    /// Takes the latencies of a report, finished or still going on. While it goes on the fastest of those that have answered so far
    /// becomes home if there is none; a better one replaces it only when the report is complete.
    /// </summary>
    public bool OnReport(Instant now, IReadOnlyList<RelayLatency> latencies, bool isComplete)
    {
        foreach (RelayLatency latency in latencies)
        {
            if (latency.Best is not null && Find(latency.Url) is { } answered)
                answered.OnLatency(now, latency, isComplete);
        }

        if (_home is null)
        {
            bool isAnybodyThere = latencies.Any(latency => latency.Best is not null);
            return (isAnybodyThere || isComplete) && (Choose(now, null) | Advertise());
        }

        return isComplete && (Reconsider(now, latencies) | Advertise());
    }

    /// <summary>A connection to a relay is up: its handshake is complete.</summary>
    public bool OnConnected(Instant now, RelayUrl relay)
    {
        if (Find(relay) is not { } candidate)
            return false;
        candidate.OnConnected(now);
        return Advertise();
    }

    /// <summary>A relay's connection was lost, fell silent, or could not be made. If it was home, the next one is chosen at once.</summary>
    public bool OnLost(Instant now, RelayUrl relay)
    {
        if (Find(relay) is not { } candidate)
            return false;
        candidate.OnLost(now);
        return (relay.Equals(_home) && Choose(now, candidate)) | Advertise();
    }

    /// <summary>A relay refused us for good (denied). It is not chosen again unless there is no other.</summary>
    public bool OnRefused(Instant now, RelayUrl relay)
    {
        if (Find(relay) is not { } candidate)
            return false;
        candidate.OnLost(now);
        candidate.IsRefused = true;
        return (relay.Equals(_home) && Choose(now, candidate)) | Advertise();
    }

    /// <summary>Does what is due: a home that does not connect gives way to the next.</summary>
    public bool HandleTimeout(Instant now)
    {
        if (NextTimeout > now || Find(_home) is not { } home)
            return false;
        home.OnLost(now);
        return Choose(now, home) | Advertise();
    }

    private Candidate? Find(RelayUrl? url) => url is null ? null : _candidates.Find(candidate => candidate.Url.Equals(url));

    // The home, without the one that just failed: whoever is connected, then whoever is not known to fail, nearest first.
    private bool Choose(Instant now, Candidate? failed)
    {
        LatencyKind kind = CommonKind(now);
        Candidate? chosen = _candidates
            .Where(candidate => candidate != failed)
            .OrderBy(candidate => candidate switch
            {
                { IsRefused: true } => 3,
                { IsConnected: true } => 0,
                _ => candidate.IsPaused(now) ? 2 : 1,
            })
            .ThenBy(candidate => candidate.IsPaused(now) ? candidate.PausedUntil.Nanoseconds : 0)
            .ThenBy(candidate => candidate.BestLatency(now, kind) ?? TimeSpan.MaxValue)
            .FirstOrDefault();
        // Nobody left but relays that refuse: rather the one that failed.
        if (failed is { IsRefused: false } && chosen is null or { IsRefused: true })
            chosen = failed;
        return MoveTo(now, chosen ?? failed);
    }

    // A complete report: is there a relay that is so much nearer that moving pays?
    private bool Reconsider(Instant now, IReadOnlyList<RelayLatency> latencies)
    {
        LatencyKind kind = CommonKind(now);
        Candidate? nearest = latencies
            .Where(latency => latency.Best is not null)
            .Select(latency => Find(latency.Url))
            .OfType<Candidate>()
            .Where(candidate => !candidate.IsRefused && !candidate.IsPaused(now))
            .MinBy(candidate => candidate.BestLatency(now, kind) ?? TimeSpan.MaxValue);
        if (nearest is null || nearest.Url.Equals(_home) || Find(_home) is not { } home)
            return false;
        TimeSpan? old = latencies.FirstOrDefault(latency => latency.Url.Equals(home.Url)) is { } current ? Of(current, kind) : null;
        if (old is null)
        {
            // A probe may get lost; a connection that lives shows more than that.
            return !home.IsConnected && MoveTo(now, nearest);
        }

        return nearest.BestLatency(now, kind) is { } best && best <= old / 3 * 2 && MoveTo(now, nearest);
    }

    private bool MoveTo(Instant now, Candidate? candidate)
    {
        bool hasChanged = !Equals(candidate?.Url, _home);
        _home = candidate?.Url;
        // Also when it stays: its patience begins anew.
        _homeSince = now;
        return hasChanged;
    }

    private bool Advertise()
    {
        RelayUrl? before = _advertised;
        if (Find(_home) is { IsConnected: true })
            _advertised = _home;
        else if (Find(_advertised) is not { IsConnected: true } last)
            _advertised = _candidates.Find(candidate => candidate.IsConnected)?.Url ?? (Find(_advertised) is { IsRefused: false } ? _advertised : null);
        return !Equals(before, _advertised);
    }

    // A request over HTTP takes longer than a UDP round trip to the same place: only equals are compared, if there are any.
    private LatencyKind CommonKind(Instant now)
    {
        Candidate[] measured = [.. _candidates.Where(candidate => candidate.BestLatency(now, LatencyKind.Any) is not null)];
        if (measured.All(candidate => candidate.BestLatency(now, LatencyKind.Udp) is not null))
            return LatencyKind.Udp;
        return measured.All(candidate => candidate.BestLatency(now, LatencyKind.Https) is not null) ? LatencyKind.Https : LatencyKind.Any;
    }

    private static TimeSpan? Of(RelayLatency latency, LatencyKind kind) => kind switch
    {
        LatencyKind.Udp => (latency with { Https = null }).Best,
        LatencyKind.Https => latency.Https,
        _ => latency.Best,
    };

    private enum LatencyKind
    {
        Any,
        Udp,
        Https,
    }

    private sealed class Candidate(RelayUrl url)
    {
        // One a complete report; there are a dozen in the window, and reports asked for by hand may make more.
        private const int SamplesMax = 32;

        private readonly List<(Instant At, RelayLatency Latency)> _samples = [];
        private (Instant At, RelayLatency Latency)? _latest;
        private Instant _connectedSince;
        private int _failures;

        public RelayUrl Url { get; } = url;

        public bool IsConnected { get; private set; }

        public bool IsRefused { get; set; }

        public Instant PausedUntil { get; private set; }

        public bool IsPaused(Instant now) => _failures > 0 && now < PausedUntil;

        public void OnLatency(Instant now, RelayLatency latency, bool isComplete)
        {
            _latest = (now, latency);
            if (!isComplete)
                return;
            _samples.RemoveAll(sample => now - sample.At > LatencyWindow);
            if (_samples.Count == SamplesMax)
                _samples.RemoveAt(0);
            _samples.Add((now, latency));
        }

        public void OnConnected(Instant now)
        {
            if (!IsConnected)
                _connectedSince = now;
            IsConnected = true;
            IsRefused = false;
            PausedUntil = now;
        }

        public void OnLost(Instant now)
        {
            if (IsConnected && now - _connectedSince >= s_soundConnection)
                _failures = 0;
            IsConnected = false;
            TimeSpan pause = s_pauseMin * (1 << Math.Min(_failures, PauseDoublingsMax));
            PausedUntil = now + (pause < s_pauseMax ? pause : s_pauseMax);
            _failures++;
        }

        public TimeSpan? BestLatency(Instant now, LatencyKind kind)
        {
            TimeSpan? best = _latest is { } latest && now - latest.At <= LatencyWindow ? Of(latest.Latency, kind) : null;
            foreach ((Instant at, RelayLatency latency) in _samples)
            {
                if (now - at <= LatencyWindow && Of(latency, kind) is { } measured && (best is null || measured < best))
                    best = measured;
            }

            return best;
        }
    }
}
