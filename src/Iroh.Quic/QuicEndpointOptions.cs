using System.Net;

namespace Iroh.Quic;

/// <summary>What a QUIC endpoint is made from.</summary>
public sealed class QuicEndpointOptions
{
    /// <summary>
    /// The addresses to bind, at most one of each family. Default: the unspecified IPv4 and IPv6 addresses with free ports.
    /// </summary>
    public IReadOnlyList<IPEndPoint> LocalEndPoints { get; init; } = [new(IPAddress.Any, 0), new(IPAddress.IPv6Any, 0)];
}
