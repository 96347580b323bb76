using System.Net;

namespace Iroh.LocalAddresses;

/// <summary>One IP address of one network interface, as the operating system lists it.</summary>
/// <param name="Address">The address.</param>
/// <param name="IsUp">Whether its interface is up.</param>
/// <param name="IsDeprecated">
/// Whether an IPv6 address is not for new connections: past its preferred lifetime, or not yet known to be unique on its link.
/// </param>
/// <param name="InterfaceName">The interface's name, such as <c>eth0</c>; empty if it is not known.</param>
/// <param name="PrefixLength">How many bits of the address name its network; 0 if that is not known.</param>
internal readonly record struct InterfaceAddress(
    IPAddress Address, bool IsUp, bool IsDeprecated, string InterfaceName = "", int PrefixLength = 0);
