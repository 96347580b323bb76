using Blixard.Rpc.Calls;

namespace Blixard.Rpc.Peers;

/// <summary>Why the transport to a peer changed.</summary>
public enum TransportSwitchReason
{
    /// <summary>The P2P link became ready, and nothing speaks against it.</summary>
    LinkReady,
    /// <summary>The P2P link was lost.</summary>
    LinkLost,
    /// <summary>A call over P2P failed although the link seemed ready.</summary>
    CallFailed,
    /// <summary>Tunnels over P2P went silent although the link seemed ready.</summary>
    PulseLost,
    /// <summary>gRPC failed, and the P2P link, although in probation, shows life.</summary>
    GrpcFailed,
    /// <summary>The P2P link showed life for the whole probation.</summary>
    ProbationPassed,
}

/// <summary>One change of the transport to a peer.</summary>
/// <param name="From">The transport before.</param>
/// <param name="To">The transport after.</param>
/// <param name="Reason">Why.</param>
/// <param name="At">When, on the clock of the caller of <see cref="TransportChoice"/>.</param>
public readonly record struct TransportSwitch(RpcTransport From, RpcTransport To, TransportSwitchReason Reason, TimeSpan At);
