namespace Iroh.NetReport;

/// <summary>What one report is to find out.</summary>
public sealed record NetReportRequest
{
    /// <summary>The relays to measure.</summary>
    public IReadOnlyList<RelayConfiguration> Relays { get; init; } = [];

    /// <summary>The STUN servers to ask; with two or more, on different addresses, they also tell whether the mapping varies.</summary>
    public IReadOnlyList<StunServer> StunServers { get; init; } = [];

    /// <summary>Whether the machine has an IPv4 address with which it reaches others. Without one nobody is asked over UDP and IPv4.</summary>
    public bool HasV4 { get; init; } = true;

    /// <summary>Whether it has such an IPv6 address, likewise.</summary>
    public bool HasV6 { get; init; } = true;

    /// <summary>Whether to ask everything. Otherwise only what tells whether the last full report still holds.</summary>
    public bool IsFull { get; init; } = true;
}
