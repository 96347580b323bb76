using Blixard.V1;

namespace Blixard.Rpc.Calls;

/// <summary>The methods of <c>blixard.v1.Tunnel</c>; proto/blixard/v1/tunnel.proto says what they do.</summary>
public static class TunnelMethods
{
    /// <summary>One connection.</summary>
    public static readonly RpcMethod<TunnelFrame, TunnelFrame> Open =
        RpcMethod.Duplex<TunnelFrame, TunnelFrame>(TunnelReflection.Descriptor, "Tunnel", "Open");

    /// <summary>Signs of life of a way.</summary>
    public static readonly RpcMethod<TunnelPulse, TunnelPulse> Pulse =
        RpcMethod.Duplex<TunnelPulse, TunnelPulse>(TunnelReflection.Descriptor, "Tunnel", "Pulse");
}
