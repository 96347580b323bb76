using System.Net;
using System.Net.Sockets;

namespace Iroh.NetReport;

/// <summary>Asks a relay by QUIC address discovery which address it sees. Thread-safe; several probes run at once.</summary>
public interface IAddressProbe
{
    /// <summary>Asks one relay over one address family, from the endpoint's own socket.</summary>
    /// <param name="relay">The relay, with an <see cref="RelayConfiguration.AddressDiscoveryPort"/>.</param>
    /// <param name="family"><see cref="AddressFamily.InterNetwork"/> or <see cref="AddressFamily.InterNetworkV6"/>.</param>
    /// <param name="cancellationToken">Ends the attempt; the caller sets the limit of time.</param>
    /// <returns>What the relay said; an IPv4-mapped address comes as IPv4.</returns>
    /// <exception cref="ProbeException">It did not answer, or answered nonsense; the message is a sentence for people.</exception>
    /// <exception cref="OperationCanceledException">The token fired first.</exception>
    Task<ObservedAddress> ProbeAsync(RelayConfiguration relay, AddressFamily family, CancellationToken cancellationToken);
}

/// <summary>What a server outside saw of a socket of ours.</summary>
/// <param name="Address">The public address and port of the socket's mapping.</param>
/// <param name="RoundTrip">How long one round trip to that server takes, more than zero.</param>
public readonly record struct ObservedAddress(IPEndPoint Address, TimeSpan RoundTrip);

/// <summary>A probe of the network got no usable answer. The message says what was asked and what came.</summary>
public sealed class ProbeException : Exception
{
    /// <summary>With a sentence for people.</summary>
    public ProbeException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
