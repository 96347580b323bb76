using System.Net;
using System.Net.Sockets;

namespace Iroh.LocalAddresses;

/// <summary>The addresses and default routes of this machine at one moment. Immutable; equal if nothing differs that matters to a peer.</summary>
internal sealed class NetworkState : IEquatable<NetworkState>
{
    /// <summary>A machine with these addresses and routes.</summary>
    public NetworkState(IEnumerable<InterfaceAddress> addresses, DefaultRoute? routeV4, DefaultRoute? routeV6)
    {
        Addresses = [.. addresses.OrderBy(address => address.InterfaceName, StringComparer.Ordinal).ThenBy(address => address.Address.ToString(), StringComparer.Ordinal)];
        (RouteV4, RouteV6) = (routeV4, routeV6);
    }

    /// <summary>All addresses, sorted.</summary>
    public IReadOnlyList<InterfaceAddress> Addresses { get; }

    /// <summary>The IPv4 default route; null if there is none or the system does not tell.</summary>
    public DefaultRoute? RouteV4 { get; }

    /// <summary>The IPv6 default route, likewise.</summary>
    public DefaultRoute? RouteV6 { get; }

    /// <summary>Whether there is an IPv4 address that others could reach.</summary>
    public bool HasV4 => Addresses.Any(address => IsUsable(address) && address.Address.AddressFamily == AddressFamily.InterNetwork);

    /// <summary>Whether there is an IPv6 address that others could reach.</summary>
    public bool HasV6 => Addresses.Any(address => IsUsable(address) && address.Address.AddressFamily == AddressFamily.InterNetworkV6);

    /// <summary>Whether an address of this machine is this one, on an interface that is up.</summary>
    public bool Has(IPAddress address) => Addresses.Any(own => own.IsUp && SameAddress(own.Address, address));

    /// <summary>
    /// Whether a change is so large that connections may have lost their way: a family, a default route, an interface or one of its
    /// networks came or went. Another address in the same network is a minor change.
    /// </summary>
    public static bool IsMajorChange(NetworkState before, NetworkState after) =>
        before.HasV4 != after.HasV4 || before.HasV6 != after.HasV6
        || !Equals(before.RouteV4, after.RouteV4) || !Equals(before.RouteV6, after.RouteV6)
        || !Networks(before).SetEquals(Networks(after));

    /// <inheritdoc/>
    public bool Equals(NetworkState? other) =>
        other is not null && Equals(RouteV4, other.RouteV4) && Equals(RouteV6, other.RouteV6) && Addresses.SequenceEqual(other.Addresses);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as NetworkState);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(RouteV4, RouteV6, Addresses.Count);

    private static bool IsUsable(InterfaceAddress address) =>
        address.IsUp && !address.IsDeprecated && !IPAddress.IsLoopback(address.Address) && !address.Address.IsIPv6LinkLocal;

    private static HashSet<(string Interface, string Network)> Networks(NetworkState state) =>
        [.. state.Addresses.Where(IsUsable).Select(address => (address.InterfaceName, Network(address)))];

    private static string Network(InterfaceAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.Address.TryWriteBytes(bytes, out int length);
        int prefix = address.PrefixLength is > 0 and var known && known <= length * 8 ? known : length * 8;
        for (int i = 0; i < length; i++)
        {
            int kept = Math.Clamp(prefix - (i * 8), 0, 8);
            bytes[i] &= (byte)(0xff00 >> kept);
        }

        return $"{new IPAddress(bytes[..length])}/{prefix}";
    }

    private static bool SameAddress(IPAddress one, IPAddress other)
    {
        Span<byte> a = stackalloc byte[16], b = stackalloc byte[16];
        return one.TryWriteBytes(a, out int lengthA) && other.TryWriteBytes(b, out int lengthB) && a[..lengthA].SequenceEqual(b[..lengthB]);
    }
}

/// <summary>The network of this machine changed.</summary>
/// <param name="Before">What it was.</param>
/// <param name="After">What it is.</param>
/// <param name="WasAsleep">Whether the machine slept in between: mappings and peers may have forgotten it.</param>
internal sealed record NetworkStateChange(NetworkState Before, NetworkState After, bool WasAsleep)
{
    /// <summary>
    /// Whether connections may have lost their way. A minor change asks only for the addresses to be told anew.
    /// </summary>
    public bool IsMajor => WasAsleep || NetworkState.IsMajorChange(Before, After);
}
