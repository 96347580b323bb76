using Iroh.Base;

namespace Iroh.Lookup;

/// <summary>Which addresses a service publishes: any predicate will do, these are iroh's.</summary>
public static class AddressFilters
{
    /// <summary>Everything.</summary>
    public static Func<TransportAddress, bool> Unfiltered { get; } = static _ => true;

    /// <summary>Relays only: what is published to the whole world does not tell where the machine is.</summary>
    public static Func<TransportAddress, bool> RelayOnly { get; } = static address => address is RelayTransportAddress;

    /// <summary>UDP addresses only.</summary>
    public static Func<TransportAddress, bool> IpOnly { get; } = static address => address is IpTransportAddress;
}
