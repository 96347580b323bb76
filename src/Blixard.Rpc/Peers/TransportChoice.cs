using Blixard.Rpc.Calls;

namespace Blixard.Rpc.Peers;

/// <summary>Which transport calls and tunnels to one peer take. A state machine without clock or I/O; one owner.</summary>
/// <remarks>
/// <code>
/// Down (gRPC) --link ready, never failed------------------> Ready (P2P)
/// Down (gRPC) --link ready, failed before-----------------> Probation (gRPC)
/// Ready (P2P) --link lost---------------------------------> Down, failed
/// Ready (P2P) --call failed, pulse lost-------------------> Silent (gRPC): nothing was heard on the link since it failed
/// Silent -------sign of life------------------------------> Probation, from now
/// Probation ----call failed, pulse lost-------------------> Silent
/// Probation ----link lost---------------------------------> Down, failed
/// Probation ----its time is over, life all the while------> Ready
/// Probation ----gRPC failed-------------------------------> P2P at once, still in probation
/// Silent -------gRPC failed, then sign of life------------> P2P at once, in probation
/// </code>
/// While neither way works it stays on gRPC, and takes P2P with the first sign of life.
/// </remarks>
public sealed class TransportChoice
{
    /// <summary>How long the link must have shown life after a failure before calls take it again, unless said otherwise: longer
    /// than a path change or a lost flight takes to show again, short enough that nobody waits for it.</summary>
    public static readonly TimeSpan DefaultProbation = TimeSpan.FromSeconds(5);

    /// <summary>The longest time between two signs of life of a working link, which is pinged each second: after a longer one the
    /// probation begins anew.</summary>
    public static readonly TimeSpan LifeGapMax = TimeSpan.FromSeconds(2.5);

    /// <summary>How long gRPC counts as broken after it failed, unless it works before: then it is worth another try.</summary>
    public static readonly TimeSpan GrpcBrokenFor = TimeSpan.FromSeconds(15);

    private readonly TimeSpan _probation;
    private bool _linkReady;
    private bool _hasFailed;
    private bool _isAlive;
    private TimeSpan _lastLife;
    private TimeSpan _probationEnds;
    private TimeSpan? _grpcFailed;

    /// <summary>A peer whose link is not ready and has not failed.</summary>
    /// <param name="probation">Zero or more; see <see cref="DefaultProbation"/>.</param>
    public TransportChoice(TimeSpan probation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(probation, TimeSpan.Zero);
        _probation = probation;
    }

    /// <summary>The transport that calls take: <see cref="RpcTransport.P2p"/> or <see cref="RpcTransport.Grpc"/>.</summary>
    public RpcTransport Current { get; private set; } = RpcTransport.Grpc;

    /// <summary>Whether the link is ready, in probation or not.</summary>
    public bool IsLinkReady => _linkReady;

    /// <summary>When the probation ends, if the link goes on to show life; null when there is none, or it has not begun.</summary>
    public TimeSpan? ProbationEnds => _linkReady && _hasFailed && _isAlive ? _probationEnds : null;

    /// <summary>The link is ready: a sign of life.</summary>
    /// <param name="now">Monotonic time since any fixed moment; never less than at the call before.</param>
    public TransportSwitch? OnLinkReady(TimeSpan now)
    {
        if (!_linkReady)
            _isAlive = false;
        _linkReady = true;
        return _hasFailed ? OnLinkAlive(now) : Live(now, TransportSwitchReason.LinkReady);
    }

    /// <summary>The link is lost: a failure, when it was ready.</summary>
    public TransportSwitch? OnLinkLost(TimeSpan now)
    {
        _hasFailed |= _linkReady;
        _linkReady = false;
        _isAlive = false;
        return Take(RpcTransport.Grpc, TransportSwitchReason.LinkLost, now);
    }

    /// <summary>The transport of a call over P2P failed. Calls that were under way when the link was lost change nothing more.</summary>
    public TransportSwitch? OnCallFailed(TimeSpan now) => Fail(TransportSwitchReason.CallFailed, now);

    /// <summary>Tunnels over P2P went silent.</summary>
    public TransportSwitch? OnPulseLost(TimeSpan now) => Fail(TransportSwitchReason.PulseLost, now);

    /// <summary>Something came over the link that was asked for after its last failure, such as the answer to a ping.</summary>
    public TransportSwitch? OnLinkAlive(TimeSpan now)
    {
        if (!_linkReady)
            return null;
        if (!_isAlive || now - _lastLife > LifeGapMax)
            _probationEnds = now + _probation;
        _isAlive = true;
        _lastLife = now;
        return HandleTime(now) ?? (IsGrpcBroken(now) ? Take(RpcTransport.P2p, TransportSwitchReason.GrpcFailed, now) : null);
    }

    /// <summary>The transport of a call or tunnel over gRPC failed.</summary>
    public TransportSwitch? OnGrpcFailed(TimeSpan now)
    {
        _grpcFailed = now;
        return _linkReady && _isAlive && now - _lastLife <= LifeGapMax ? Take(RpcTransport.P2p, TransportSwitchReason.GrpcFailed, now) : null;
    }

    /// <summary>A call or tunnel over gRPC worked.</summary>
    public void OnGrpcWorked() => _grpcFailed = null;

    /// <summary>Time has passed: ends the probation when it is over. Called before each choice.</summary>
    public TransportSwitch? HandleTime(TimeSpan now)
    {
        if (!_linkReady || !_hasFailed || !_isAlive || now < _probationEnds || now - _lastLife > LifeGapMax)
            return null;
        _hasFailed = false;
        return Take(RpcTransport.P2p, TransportSwitchReason.ProbationPassed, now);
    }

    private bool IsGrpcBroken(TimeSpan now) => _grpcFailed is { } failed && now - failed < GrpcBrokenFor;

    private TransportSwitch? Live(TimeSpan now, TransportSwitchReason reason)
    {
        _isAlive = true;
        _lastLife = now;
        return Take(RpcTransport.P2p, reason, now);
    }

    private TransportSwitch? Fail(TransportSwitchReason reason, TimeSpan now)
    {
        _hasFailed = true;
        _isAlive = false;
        return Take(RpcTransport.Grpc, reason, now);
    }

    private TransportSwitch? Take(RpcTransport next, TransportSwitchReason reason, TimeSpan now)
    {
        if (Current == next)
            return null;
        var change = new TransportSwitch(Current, next, reason, now);
        Current = next;
        return change;
    }
}
