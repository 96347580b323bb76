using System.Net;

namespace Iroh.LocalAddresses;

/// <summary>One IP address of one network interface, as the operating system lists it.</summary>
/// <param name="Address">The address.</param>
/// <param name="IsUp">Whether its interface is up.</param>
/// <param name="IsDeprecated">Whether an IPv6 address is past its preferred lifetime: valid for old connections, not for new ones.</param>
internal readonly record struct InterfaceAddress(IPAddress Address, bool IsUp, bool IsDeprecated);
