using System.Net;
using Iroh.LocalAddresses;

namespace Iroh.PortMapping;

/// <summary>What a <see cref="PortMapper"/> is made from.</summary>
internal sealed class PortMapperOptions
{
    /// <summary>The UDP port of the IPv4 socket, 1 to 65535.</summary>
    public required int InternalPort { get; init; }

    /// <summary>
    /// Tells the gateway of the IPv4 default route; null if there is none, and then nobody is asked. Default: this machine's.
    /// </summary>
    public Func<IPAddress?> Gateway { get; init; } = static () => DefaultRoutes.Read().V4?.Gateway;

    /// <summary>The ways to ask, best first; null for PCP, NAT-PMP and UPnP.</summary>
    public IReadOnlyList<IPortMappingProtocol>? Protocols { get; init; }

    /// <summary>The clock. Default: the system's.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
