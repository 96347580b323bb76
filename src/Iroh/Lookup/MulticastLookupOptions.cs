using System.Net.NetworkInformation;
using Iroh.Base;
using Iroh.Cryptography;

namespace Iroh.Lookup;

/// <summary>What a <see cref="MulticastLookup"/> is made from.</summary>
public sealed class MulticastLookupOptions
{
    /// <summary>The endpoint whose record is announced.</summary>
    public required EndpointId Id { get; init; }

    /// <summary>Which addresses are announced. Default: all; without a UDP address nothing is.</summary>
    public Func<TransportAddress, bool> Filter { get; init; } = AddressFilters.Unfiltered;

    /// <summary>
    /// The interfaces that are used; asked for each that is up, about every 5 s while there is something to send. Default: those
    /// that can do multicast, except loopback.
    /// </summary>
    public Func<NetworkInterface, bool> Interfaces { get; init; } =
        static candidate => candidate.SupportsMulticast && candidate.NetworkInterfaceType != NetworkInterfaceType.Loopback;

    /// <summary>Time and timers. Default: the system's.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Spreads answers. Default: the operating system's. Used by one thread at a time.</summary>
    public RandomSource Random { get; init; } = OperatingSystemRandomSource.Instance;
}
