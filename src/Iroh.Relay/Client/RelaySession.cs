using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Protocol;

namespace Iroh.Relay.Client;

/// <summary>
/// When to dial a relay, when to ping it and when to give a connection up. Pure: time and events come in, <see cref="TryGetAction"/>
/// gives what to do; after each input all actions are taken and the clock is set to <see cref="NextTimeout"/>. Has one owner.
/// <para>
/// Waiting → Dialling when the pause is over; Dialling → Connected, or → Waiting when it fails; Connected → Dialling when a good
/// connection is lost, → Waiting when a bad one is or the relay announced a restart. Close ends it from anywhere. Each dial has a number,
/// the attempt; what is told of an earlier one is ignored.
/// </para>
/// </summary>
internal sealed class RelaySession(RandomSource random, TimeSpan connectTimeout)
{
    /// <summary>A ping goes out so long after the last message received, as in iroh.</summary>
    public static readonly TimeSpan PingInterval = TimeSpan.FromSeconds(15);

    /// <summary>Time-out of a pong while the round-trip time is unknown, and its upper limit afterwards, as in iroh.</summary>
    public static readonly TimeSpan PongTimeoutMax = TimeSpan.FromSeconds(5);

    /// <summary>The lower limit of three round-trip times, as in iroh: schedulers and radios sleep for less.</summary>
    public static readonly TimeSpan PongTimeoutMin = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// A timer that is so late shows that this process, or its machine, has stood still: a pong may have arrived and not been read.
    /// </summary>
    public static readonly TimeSpan StallMin = TimeSpan.FromMilliseconds(100);

    /// <summary>A write that the network does not take for so long ends the connection, as in iroh.</summary>
    public static readonly TimeSpan WriteTimeout = TimeSpan.FromSeconds(15);

    /// <summary>
    /// When datagrams go out and nothing at all comes back for so long (or two round-trip times), the relay is asked: together with the
    /// pong's time-out a dead connection with traffic is found out in about 2 s.
    /// </summary>
    public static readonly TimeSpan UnansweredMin = TimeSpan.FromMilliseconds(500);

    /// <summary>Pings because of unanswered datagrams keep this distance: traffic may be one-way for good reasons.</summary>
    public static readonly TimeSpan PingDistanceMin = TimeSpan.FromSeconds(1);

    /// <summary>The dial has its own limit; if it does not keep to it, it is abandoned so long after.</summary>
    public static readonly TimeSpan DialGrace = TimeSpan.FromSeconds(2);

    /// <summary>Datagrams wait so long for a connection, as in iroh: QUIC has long sent them again.</summary>
    public static readonly TimeSpan QueueAgeMax = TimeSpan.FromSeconds(3);

    /// <summary>The first pause between attempts, which doubles, as in iroh.</summary>
    public static readonly TimeSpan BackoffMin = TimeSpan.FromMilliseconds(10);

    /// <summary>The longest pause between attempts, as in iroh.</summary>
    public static readonly TimeSpan BackoffMax = TimeSpan.FromSeconds(16);

    /// <summary>The first pause after a denial, which doubles: permission comes from people.</summary>
    public static readonly TimeSpan DeniedBackoffMin = TimeSpan.FromSeconds(10);

    /// <summary>The longest pause after denials.</summary>
    public static readonly TimeSpan DeniedBackoffMax = TimeSpan.FromMinutes(5);

    /// <summary>
    /// A connection that lived so long was a good one: its loss is answered by dialling at once. Shorter ones wait their turn, or a relay
    /// that lets in and throws out would be dialled in a tight loop.
    /// </summary>
    public static readonly TimeSpan GoodLifetime = TimeSpan.FromSeconds(10);

    /// <summary>The longest pause that a restarting relay can ask for, and the longest time that it is then tried for.</summary>
    public static readonly TimeSpan RestartMax = TimeSpan.FromMinutes(1);

    /// <summary>The pause between attempts while a relay restarts, before jitter: it comes back soon, and not for this client alone.</summary>
    public static readonly TimeSpan RestartBackoff = TimeSpan.FromMilliseconds(500);

    private readonly Queue<RelayAction> _actions = new();
    private Phase _phase = Phase.Waiting;
    private int _attempt;
    private int _failures;
    private int _denials;
    private Instant _retryAt = Instant.Never;
    private Instant _dialDeadline;
    private Instant _dropAt = Instant.Never;
    private Instant _restartUntil = new(long.MinValue);
    private TimeSpan? _restartIn;
    private TimeSpan _restartFor;
    private Instant _connectedAt;
    private Instant _lastReceived;
    private Instant? _unansweredSince;
    private Instant? _writeStartedAt;
    private Instant? _pingSentAt;
    private Instant _lastPingAt;
    private Instant _pongNotBefore;
    private ulong _pingData;
    private bool _hadPong;

    private enum Phase
    {
        Waiting,
        Dialling,
        Connected,
        Closed,
    }

    /// <summary>How it stands, for others.</summary>
    public RelayState State { get; private set; } = RelayState.Connecting;

    /// <summary>Why the last attempt or connection failed; null while connected after none did.</summary>
    public string? LastError { get; private set; }

    /// <summary>What the relay last said of this connection.</summary>
    public RelayStatus Health { get; private set; }

    /// <summary>The same in words, from relays of version 1.</summary>
    public string? HealthText { get; private set; }

    /// <summary>The last ping's time; null before the first pong of a connection.</summary>
    public TimeSpan? RoundTripTime { get; private set; }

    /// <summary>When something last came; only of meaning while connected.</summary>
    public Instant LastReceived => _lastReceived;

    /// <summary>Whether a connection is there and nothing is expected from it: no pong, no end of a write, no answer to datagrams.</summary>
    public bool IsAtRest => _phase == Phase.Connected && _pingSentAt is null && _writeStartedAt is null && _unansweredSince is null;

    /// <summary>When <see cref="HandleTimeout"/> has to be called.</summary>
    public Instant NextTimeout
    {
        get
        {
            Instant next = _phase switch
            {
                Phase.Waiting => _retryAt,
                Phase.Dialling => _dialDeadline,
                Phase.Connected => Instant.Min(WriteDue, Instant.Min(PongDue, PingDue)),
                _ => Instant.Never,
            };
            return Instant.Min(next, _dropAt);
        }
    }

    private TimeSpan PongTimeout => RoundTripTime is { } rtt
        ? TimeSpan.FromTicks(Math.Clamp(3 * rtt.Ticks, PongTimeoutMin.Ticks, PongTimeoutMax.Ticks))
        : PongTimeoutMax;

    private Instant WriteDue => _writeStartedAt is { } started ? started + WriteTimeout : Instant.Never;

    // Anything that came after the ping shows that the connection lives, though the pong be stuck behind it.
    private Instant PongDue => _pingSentAt is { } sent
        ? Instant.Max(Instant.Max(sent, _lastReceived) + PongTimeout, _pongNotBefore)
        : Instant.Never;

    private Instant PingDue
    {
        get
        {
            if (_pingSentAt is not null)
                return Instant.Never;
            Instant due = _lastReceived + PingInterval;
            if (_unansweredSince is not { } since)
                return due;
            TimeSpan patience = RoundTripTime is { } rtt && 2 * rtt > UnansweredMin ? 2 * rtt : UnansweredMin;
            return Instant.Min(due, Instant.Max(since + patience, _lastPingAt + PingDistanceMin));
        }
    }

    /// <summary>Dials for the first time.</summary>
    public void Start(Instant now) => Dial(now);

    /// <summary>The next thing to do.</summary>
    public bool TryGetAction(out RelayAction action) => _actions.TryDequeue(out action);

    /// <summary>Whether what is told of this attempt still counts.</summary>
    public bool IsCurrent(int attempt) => attempt == _attempt && _phase is Phase.Dialling or Phase.Connected;

    /// <summary>Does what is due.</summary>
    public void HandleTimeout(Instant now)
    {
        if (_dropAt <= now)
        {
            _dropAt = Instant.Never;
            _actions.Enqueue(new RelayAction(RelayActionKind.DropQueued));
        }

        switch (_phase)
        {
            case Phase.Waiting when _retryAt <= now:
                Dial(now);
                break;
            case Phase.Dialling when _dialDeadline <= now:
                OnDialFailed(now, _attempt, RelayFailure.TimedOut, "The relay's dial hung and was abandoned");
                break;
            case Phase.Connected when WriteDue <= now:
                OnLost(now, _attempt, $"The relay takes no data for {WriteTimeout.TotalSeconds:0} s");
                break;
            case Phase.Connected when PongDue + StallMin <= now:
                _pongNotBefore = now + PongTimeoutMin;
                break;
            case Phase.Connected when PongDue <= now:
                OnLost(now, _attempt, _hadPong ? "The relay does not answer a ping" : "The relay has never answered a ping");
                break;
            case Phase.Connected when PingDue <= now:
                Ping(now);
                break;
        }
    }

    /// <summary>A dial has succeeded.</summary>
    public void OnConnected(Instant now, int attempt)
    {
        if (!IsCurrent(attempt) || _phase != Phase.Dialling)
            return;
        _phase = Phase.Connected;
        _connectedAt = _lastReceived = now;
        _unansweredSince = _writeStartedAt = _pingSentAt = null;
        _hadPong = false;
        _restartIn = null;
        _denials = 0;
        _dropAt = Instant.Never;
        RoundTripTime = null;
        Health = RelayStatus.Healthy;
        HealthText = null;
        SetState(RelayState.Connected, LastError);
        Ping(now);
    }

    /// <summary>A dial has failed.</summary>
    public void OnDialFailed(Instant now, int attempt, RelayFailure failure, string reason)
    {
        if (!IsCurrent(attempt) || _phase != Phase.Dialling)
            return;
        _actions.Enqueue(new RelayAction(RelayActionKind.Abandon, _attempt));
        if (failure == RelayFailure.Denied)
        {
            Wait(now, Jittered(Doubled(DeniedBackoffMin, DeniedBackoffMax, _denials++), DeniedBackoffMax));
            SetState(RelayState.Denied, reason);
            return;
        }

        Wait(now, now < _restartUntil ? Jittered(RestartBackoff, BackoffMax) : Jittered(Doubled(BackoffMin, BackoffMax, _failures++), BackoffMax));
        SetState(RelayState.Connecting, reason);
    }

    /// <summary>Something came from the relay.</summary>
    public void OnReceived(Instant now, int attempt)
    {
        if (!IsCurrent(attempt))
            return;
        _lastReceived = now;
        _unansweredSince = null;
    }

    /// <summary>A pong came. One that nobody asked for says nothing.</summary>
    public void OnPong(Instant now, int attempt, ulong data)
    {
        if (!IsCurrent(attempt) || _pingSentAt is not { } sent || data != _pingData)
            return;
        RoundTripTime = now - sent;
        _pingSentAt = null;
        _hadPong = true;
    }

    /// <summary>The relay says how it stands with this connection.</summary>
    public void OnHealth(int attempt, RelayStatus status, string? text)
    {
        if (!IsCurrent(attempt) || (Health == status && HealthText == text))
            return;
        Health = status;
        HealthText = text;
        _actions.Enqueue(new RelayAction(RelayActionKind.Notify, _attempt));
    }

    /// <summary>The relay is about to restart: it spreads its clients' return by giving each another pause.</summary>
    public void OnRestarting(int attempt, TimeSpan reconnectIn, TimeSpan tryFor)
    {
        if (!IsCurrent(attempt))
            return;
        _restartIn = reconnectIn < RestartMax ? reconnectIn : RestartMax;
        _restartFor = tryFor < RestartMax ? tryFor : RestartMax;
    }

    /// <summary>The connection has ended.</summary>
    public void OnLost(Instant now, int attempt, string reason)
    {
        if (!IsCurrent(attempt) || _phase != Phase.Connected)
            return;
        _actions.Enqueue(new RelayAction(RelayActionKind.Abandon, _attempt));
        RoundTripTime = null;
        // What waits now waits for the next connection.
        _dropAt = now + QueueAgeMax;
        bool wasGood = _hadPong && now - _connectedAt >= GoodLifetime;
        if (wasGood)
            _failures = 0;
        if (_restartIn is { } restartIn)
        {
            _restartIn = null;
            Wait(now, restartIn);
            _restartUntil = _retryAt + _restartFor;
        }
        else if (!wasGood)
        {
            Wait(now, Jittered(Doubled(BackoffMin, BackoffMax, _failures++), BackoffMax));
        }

        SetState(RelayState.Connecting, reason);
        if (_phase == Phase.Connected)
            Dial(now);
    }

    /// <summary>Frames are being handed to the network.</summary>
    public void OnWriteStarted(Instant now, int attempt, bool hasDatagrams)
    {
        if (!IsCurrent(attempt))
            return;
        _writeStartedAt = now;
        if (hasDatagrams)
            _unansweredSince ??= now;
    }

    /// <summary>The network has taken them.</summary>
    public void OnWritten(int attempt)
    {
        if (IsCurrent(attempt))
            _writeStartedAt = null;
    }

    /// <summary>A datagram waits for a connection.</summary>
    public void OnQueued(Instant now)
    {
        if (_phase is Phase.Waiting or Phase.Dialling && _dropAt == Instant.Never)
            _dropAt = now + QueueAgeMax;
    }

    /// <summary>The machine's network changed: the connection is asked, and a pause cut short unless the relay denies access.</summary>
    /// <param name="now">The time.</param>
    /// <param name="isAddressGone">Whether the machine no longer has the address of this end of the connection.</param>
    public void OnNetworkChange(Instant now, bool isAddressGone)
    {
        switch (_phase)
        {
            case Phase.Connected when isAddressGone:
                OnLost(now, _attempt, "The machine no longer has the address of the connection to the relay");
                // The wait is for the relay's sake, which is not to blame.
                OnNetworkChange(now, isAddressGone: false);
                break;
            case Phase.Connected when _pingSentAt is null:
                Ping(now);
                break;
            case Phase.Waiting when State != RelayState.Denied:
                _failures = 0;
                Dial(now);
                break;
        }
    }

    /// <summary>Ends everything.</summary>
    public void Close()
    {
        if (_phase == Phase.Closed)
            return;
        if (_phase is Phase.Dialling or Phase.Connected)
            _actions.Enqueue(new RelayAction(RelayActionKind.Abandon, _attempt));
        _phase = Phase.Closed;
        _dropAt = Instant.Never;
        SetState(RelayState.Closed, LastError);
    }

    private static TimeSpan Doubled(TimeSpan min, TimeSpan max, int times)
    {
        TimeSpan pause = min;
        for (int i = 0; i < times && pause < max; i++)
            pause *= 2;
        return pause < max ? pause : max;
    }

    private void Dial(Instant now)
    {
        _phase = Phase.Dialling;
        _attempt++;
        _dialDeadline = now + connectTimeout + DialGrace;
        _actions.Enqueue(new RelayAction(RelayActionKind.Dial, _attempt));
    }

    private void Wait(Instant now, TimeSpan pause)
    {
        _phase = Phase.Waiting;
        _retryAt = now + pause;
    }

    private void Ping(Instant now)
    {
        _pingData = random.NextUInt64();
        _pingSentAt = _lastPingAt = now;
        _pongNotBefore = now;
        _actions.Enqueue(new RelayAction(RelayActionKind.Ping, _attempt, _pingData));
    }

    private void SetState(RelayState state, string? error)
    {
        if (State == state && LastError == error)
            return;
        State = state;
        LastError = error;
        _actions.Enqueue(new RelayAction(RelayActionKind.Notify, _attempt));
    }

    // Between half and one and a half times as long, so that those who failed together do not come back together.
    private TimeSpan Jittered(TimeSpan pause, TimeSpan max)
    {
        TimeSpan jittered = (pause / 2) + TimeSpan.FromTicks((long)random.NextBelow((ulong)pause.Ticks));
        return jittered < max ? jittered : max;
    }
}
