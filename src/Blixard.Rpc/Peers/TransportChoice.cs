using Blixard.Rpc.Calls;

namespace Blixard.Rpc.Peers;

/// <summary>Which transport calls to one peer take. A state machine without clock or I/O; one owner.</summary>
/// <remarks>
/// <code>
/// Down (gRPC) --link ready, never failed--> Ready (P2P)
/// Down (gRPC) --link ready, failed before-> Probation (gRPC)
/// Ready (P2P) --link lost-----------------> Down, failed
/// Ready (P2P) --call failed---------------> Probation, from now
/// Probation --call failed-----------------> Probation, from now
/// Probation --link lost-------------------> Down, failed
/// Probation --its time is over------------> Ready
/// </code>
/// </remarks>
public sealed class TransportChoice
{
    /// <summary>How long the link must have been ready after a failure before calls take it again, unless said otherwise: longer
    /// than a path change or a lost flight takes to show again, short enough that nobody waits for it.</summary>
    public static readonly TimeSpan DefaultProbation = TimeSpan.FromSeconds(5);

    private readonly TimeSpan _probation;
    private bool _linkReady;
    private bool _hasFailed;
    private TimeSpan _probationEnds;

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

    /// <summary>When the probation ends; null when there is none.</summary>
    public TimeSpan? ProbationEnds => _linkReady && _hasFailed ? _probationEnds : null;

    /// <summary>The link is ready. No change when it was.</summary>
    /// <param name="now">Monotonic time since any fixed moment; never less than at the call before.</param>
    public TransportSwitch? OnLinkReady(TimeSpan now)
    {
        if (_linkReady)
            return HandleTime(now);
        _linkReady = true;
        _probationEnds = now + _probation;
        return _hasFailed ? HandleTime(now) : Take(RpcTransport.P2p, TransportSwitchReason.LinkReady, now);
    }

    /// <summary>The link is lost: a failure, when it was ready.</summary>
    public TransportSwitch? OnLinkLost(TimeSpan now)
    {
        _hasFailed |= _linkReady;
        _linkReady = false;
        return Take(RpcTransport.Grpc, TransportSwitchReason.LinkLost, now);
    }

    /// <summary>The transport of a call over P2P failed. Calls that were under way when the link was lost change nothing more.</summary>
    public TransportSwitch? OnCallFailed(TimeSpan now)
    {
        _hasFailed = true;
        _probationEnds = now + _probation;
        return Take(RpcTransport.Grpc, TransportSwitchReason.CallFailed, now);
    }

    /// <summary>Time has passed: ends the probation when it is over. Called before each choice.</summary>
    public TransportSwitch? HandleTime(TimeSpan now)
    {
        if (!_linkReady || !_hasFailed || now < _probationEnds)
            return null;
        _hasFailed = false;
        return Take(RpcTransport.P2p, TransportSwitchReason.ProbationPassed, now);
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
