using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.Connections;

namespace Iroh.NetReport.AddressDiscovery;

/// <summary>How an <see cref="AddressDiscoveryClient"/> asks.</summary>
public sealed class AddressDiscoveryOptions
{
    /// <summary>How a relay's certificate chain is built. Null, the default: by the system's roots.</summary>
    public X509ChainPolicy? CertificateChainPolicy { get; init; }

    /// <summary>
    /// Has the last word about a relay's certificate; null, the default, for the rules of <see cref="CertificateChainPolicy"/>. As for the
    /// connection to the relay.
    /// </summary>
    public RemoteCertificateValidationCallback? CertificateValidation { get; init; }

    /// <summary>
    /// Called on the thread pool when a relay with which the connection was kept says that it sees another address than before: the network
    /// has changed, or the NAT has lost its mapping. Must not throw.
    /// </summary>
    public Action<AddressFamily, ObservedAddress>? Changed { get; init; }

    /// <summary>
    /// How a connection behaves: as those of iroh's clients, seen on the wire. A kept connection shall cost little, and yet keep the NAT's
    /// mapping alive.
    /// </summary>
    internal ConnectionConfiguration Connection { get; init; } = new()
    {
        AddressReports = AddressReports.Receive,
        ConcurrentPathsMax = 1,
        MaxIdleTimeout = TimeSpan.FromSeconds(35),
        KeepAliveInterval = TimeSpan.FromSeconds(25),
        InitialRtt = TimeSpan.FromMilliseconds(111),
        MtuMax = 1200,
    };
}
