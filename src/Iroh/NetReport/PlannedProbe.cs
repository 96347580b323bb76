using System.Net.Sockets;

namespace Iroh.NetReport;

/// <summary>How a report asks.</summary>
internal enum ProbeKind
{
    /// <summary>QUIC address discovery at a relay: public address and UDP latency.</summary>
    AddressDiscovery,

    /// <summary>A STUN server: public address.</summary>
    Stun,

    /// <summary>A request to a relay's <c>/ping</c>: latency where UDP does not get through.</summary>
    Https,

    /// <summary>A request to a relay's <c>/generate_204</c>: whether somebody else answers.</summary>
    CaptivePortal,
}

/// <summary>One question of a report.</summary>
/// <param name="Kind">How it asks.</param>
/// <param name="Delay">How long after the report's beginning.</param>
/// <param name="Relay">Whom it asks; null for STUN.</param>
/// <param name="Server">Whom it asks by STUN; otherwise null.</param>
/// <param name="Family">Over which family it asks by UDP; unspecified for a request over HTTP.</param>
internal sealed record PlannedProbe(
    ProbeKind Kind, TimeSpan Delay, RelayConfiguration? Relay, StunServer? Server, AddressFamily Family = AddressFamily.Unspecified);
