using System.Net;

namespace Iroh.PortMapping;

/// <summary>How a gateway was asked to forward a port.</summary>
public enum PortMappingProtocol
{
    /// <summary>Port Control Protocol, RFC 6887.</summary>
    Pcp,

    /// <summary>NAT Port Mapping Protocol, RFC 6886.</summary>
    NatPmp,

    /// <summary>UPnP Internet Gateway Device, WANIPConnection or WANPPPConnection.</summary>
    Upnp,
}

/// <summary>A port of the gateway that is forwarded to a UDP port of this machine.</summary>
/// <param name="External">The gateway's public address and the port there.</param>
/// <param name="InternalPort">The port of this machine.</param>
/// <param name="Protocol">How it was asked for.</param>
public sealed record MappedPort(IPEndPoint External, int InternalPort, PortMappingProtocol Protocol);
