using System.Net;

namespace Iroh.LocalAddresses;

/// <summary>The way to everywhere else of one address family.</summary>
/// <param name="InterfaceName">The interface that it leads out of.</param>
/// <param name="Gateway">The next router; null if the interface itself leads there (a tunnel, a modem).</param>
internal sealed record DefaultRoute(string InterfaceName, IPAddress? Gateway);
