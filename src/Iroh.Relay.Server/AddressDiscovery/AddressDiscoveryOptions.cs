using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Iroh.Relay.Server.AddressDiscovery;

/// <summary>Where an <see cref="AddressDiscoveryServer"/> listens, and for how many.</summary>
public sealed record AddressDiscoveryOptions
{
    /// <summary>The UDP port on which clients expect address discovery.</summary>
    public const int DefaultPort = 7842;

    /// <summary>
    /// The UDP addresses to bind: one or two, of different families; port 0 is any free one. Default: all addresses of both families.
    /// </summary>
    public IReadOnlyList<IPEndPoint> Bind { get; init; } = [new(IPAddress.Any, DefaultPort), new(IPAddress.IPv6Any, DefaultPort)];

    /// <summary>
    /// PEM file with the certificate of the relay's host name and those between it and its root. Read again when it changes. Its key is of
    /// ECDSA P-256 or P-384, or of RSA.
    /// </summary>
    public required string CertificateFile { get; init; }

    /// <summary>PEM file with the certificate's private key. Read again when it changes.</summary>
    public required string KeyFile { get; init; }

    /// <summary>How many connections there may be, at least 1. Default: 20,000, each of which takes some tens of kilobytes.</summary>
    public int ConnectionsMax { get; init; } = 20_000;

    /// <summary>
    /// How many of them may come from one IPv4 address or one IPv6 /64 network, at least 1. Default: 512, because carriers put hundreds of
    /// their customers behind one address.
    /// </summary>
    public int ConnectionsPerAddressMax { get; init; } = 512;

    /// <summary>Gets the log. Default: nobody.</summary>
    public ILoggerFactory Loggers { get; init; } = NullLoggerFactory.Instance;

    /// <summary>Makes the meter "Iroh.Relay.Server.AddressDiscovery". Default: one that all listeners of the process see.</summary>
    public IMeterFactory? Meters { get; init; }

    /// <summary>The clock. Default: the system's.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Checks the ranges.</summary>
    /// <exception cref="RelayServerException">An option is out of its range.</exception>
    internal void Validate()
    {
        if (Bind.Count is < 1 or > 2 || Bind.DistinctBy(address => address.AddressFamily).Count() != Bind.Count)
            throw new RelayServerException("Address discovery needs one or two UDP addresses, of different families.");
        if (ConnectionsMax < 1 || ConnectionsPerAddressMax < 1)
            throw new RelayServerException("Address discovery needs room for at least one connection.");
    }
}
