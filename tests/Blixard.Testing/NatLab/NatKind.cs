namespace Blixard.Testing.NatLab;

/// <summary>What lies between a site's hosts and the public segment. Mapping and filtering in the words of RFC 4787.</summary>
public enum NatKind
{
    /// <summary>Nothing: hosts have public addresses, IPv4 and IPv6.</summary>
    Open,

    /// <summary>Endpoint-independent mapping and filtering ("full cone"): whoever knows a mapping reaches the host by it.</summary>
    AddressIndependent,

    /// <summary>Endpoint-independent mapping, address and port-dependent filtering: Linux's plain masquerade.</summary>
    PortRestricted,

    /// <summary>A random port for each destination, address and port-dependent filtering: masquerade fully-random ("symmetric").</summary>
    RandomPort,

    /// <summary>Two gateways in a row, both <see cref="PortRestricted"/>: a home behind a carrier's NAT.</summary>
    DoubleNat,

    /// <summary>Public IPv6 addresses behind a firewall that admits answers alone; no IPv4.</summary>
    IPv6Only,

    /// <summary>As <see cref="PortRestricted"/>, but no UDP passes.</summary>
    UdpBlocked,

    /// <summary>
    /// As <see cref="AddressIndependent"/>, with hosts that cannot reach each other in the site, but by the gateway's public address
    /// (RFC 4787 §6).
    /// </summary>
    Hairpin,
}
