using System.Net;
using Iroh.Base;

namespace Iroh.NetReport;

/// <summary>What is known about the network between this machine and the outside. Immutable.</summary>
public sealed record NetReportResult
{
    /// <summary>When the report ended, or was like this if it is still going on.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>Whether everything was asked anew, or only what tells whether the last full report still holds.</summary>
    public bool IsFull { get; init; }

    /// <summary>Whether the report has ended. One that goes on can only get better.</summary>
    public bool IsComplete { get; init; }

    /// <summary>Whether an answer came over UDP and IPv4.</summary>
    public bool UdpV4 { get; init; }

    /// <summary>Whether an answer came over UDP and IPv6.</summary>
    public bool UdpV6 { get; init; }

    /// <summary>The public address of the IPv4 socket; null if nobody told.</summary>
    public IPEndPoint? GlobalV4 { get; init; }

    /// <summary>The public address of the IPv6 socket; null if nobody told.</summary>
    public IPEndPoint? GlobalV6 { get; init; }

    /// <summary>
    /// Whether two servers saw different addresses of the IPv4 socket: the NAT makes a mapping for each destination (RFC 4787 §4.1
    /// address-dependent mapping), and an address learnt here is of no use to a peer. Null if fewer than two servers answered.
    /// </summary>
    public bool? MappingVariesByDestinationV4 { get; init; }

    /// <summary>Likewise for the IPv6 socket.</summary>
    public bool? MappingVariesByDestinationV6 { get; init; }

    /// <summary>All relays that were asked, in the order of the relay map.</summary>
    public IReadOnlyList<RelayLatency> Relays { get; init; } = [];

    /// <summary>The STUN servers that were asked, in the order given.</summary>
    public IReadOnlyList<StunServerResult> StunServers { get; init; } = [];

    /// <summary>The relay that answers fastest, by the best of the last minutes; null if none answered.</summary>
    public RelayUrl? PreferredRelay { get; init; }

    /// <summary>Whether something on the way answers HTTP requests in the name of others; null if that was not found out.</summary>
    public bool? CaptivePortal { get; init; }

    /// <summary>What went wrong on the way, a sentence each, for people.</summary>
    public IReadOnlyList<string> Problems { get; init; } = [];
}
