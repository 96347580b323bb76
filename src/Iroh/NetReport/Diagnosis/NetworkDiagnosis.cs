using System.Net;
using Iroh.PortMapping;

namespace Iroh.NetReport.Diagnosis;

/// <summary>What an examination of this machine's network found, and what follows from it. Immutable.</summary>
public sealed record NetworkDiagnosis
{
    /// <summary>The addresses that peers would be told, loopback only if there is nothing else.</summary>
    public IReadOnlyList<LocalNetworkAddress> LocalAddresses { get; init; } = [];

    /// <summary>The next router of the IPv4 default route; null if there is none.</summary>
    public IPAddress? GatewayV4 { get; init; }

    /// <summary>The next router of the IPv6 default route, likewise.</summary>
    public IPAddress? GatewayV6 { get; init; }

    /// <summary>What servers outside told.</summary>
    public required NetReportResult Report { get; init; }

    /// <summary>What the kernel does for batches of datagrams.</summary>
    public UdpOffload UdpOffload { get; init; }

    /// <summary>The port that the gateway forwarded for the examination; null if it did not or was not asked.</summary>
    public MappedPort? PortMapping { get; init; }

    /// <summary>Why no port was forwarded, in a sentence; null if one was or the gateway was not asked.</summary>
    public string? PortMappingProblem { get; init; }

    /// <summary>What kind of network this is.</summary>
    public NetworkKind Kind { get; init; }

    /// <summary>Whether direct connections are to be expected.</summary>
    public DirectOutlook Direct { get; init; }

    /// <summary>What kind of network this is and what that means, in sentences for people, the most important first.</summary>
    public IReadOnlyList<string> Findings { get; init; } = [];
}
