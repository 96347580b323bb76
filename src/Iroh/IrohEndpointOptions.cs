using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Security;
using Iroh.Base;
using Iroh.Lookup;
using Iroh.NetReport;
using Iroh.Quic.Protocol.Connections;

namespace Iroh;

/// <summary>What an <see cref="IrohEndpoint"/> is made from. Read once by <see cref="IrohEndpoint.BindAsync"/>.</summary>
public sealed class IrohEndpointOptions
{
    /// <summary>The endpoint's identity. Default: a new random key, which is lost with the endpoint.</summary>
    public SecretKey SecretKey { get; init; } = SecretKey.Generate();

    /// <summary>
    /// The protocols for which connections are accepted, best first. Default: none; a <see cref="Protocols.ProtocolRouter"/> sets
    /// those of its handlers.
    /// </summary>
    public IReadOnlyList<string> ApplicationProtocols { get; init; } = [];

    /// <summary>
    /// The addresses to bind, at most one of each family; port 0 is any free port. Default: all addresses of both families with
    /// free ports, where a machine without IPv6 goes without it.
    /// </summary>
    public IReadOnlyList<IPEndPoint>? BindAddresses { get; init; }

    /// <summary>Addresses under which the endpoint can be reached beyond its own, such as a port forwarded to it.</summary>
    public IReadOnlyList<IPEndPoint> ExternalAddresses { get; init; } = [];

    /// <summary>
    /// Limits and timers of connections. Default: those of iroh, but datagrams of up to 16 KiB where both ends and the link
    /// between them carry them (jumbo frames, virtual networks, loopback).
    /// </summary>
    public ConnectionConfiguration Connections { get; init; } = new() { MaxUdpPayloadSize = 16_384, MtuMax = 16_384 };

    /// <summary>
    /// Relays that may be this endpoint's home, under which others find it while no direct way is known; the nearest is chosen. Default:
    /// none, then the endpoint is found under its own addresses only.
    /// </summary>
    public IReadOnlyList<RelayConfiguration> Relays { get; init; } = [];

    /// <summary>
    /// Whether datagrams may go over relays at all: the own ones, and those that peers name as theirs. Default: true. Relays see who talks
    /// to whom, how much and when, but not what.
    /// </summary>
    public bool UseRelays { get; init; } = true;

    /// <summary>Decides about the certificates of relays; null, the default, for what the operating system trusts, for the URL's host name.</summary>
    public RemoteCertificateValidationCallback? RelayCertificateValidation { get; init; }

    /// <summary>
    /// Servers that are asked, from the endpoint's own sockets, which address they see (RFC 8489). Default: none. Two or more also tell
    /// whether the NAT in between makes a mapping for each destination.
    /// </summary>
    public IReadOnlyList<StunServer> StunServers { get; init; } = [];

    /// <summary>
    /// Whether to have the gateway forward a port (PCP, NAT-PMP, UPnP) when the endpoint has relays and is bound to all addresses. Default: true.
    /// </summary>
    public bool MapPorts { get; init; } = true;

    /// <summary>
    /// Services that find endpoints by their id and tell others where this one is. Default: none. They belong to the endpoint, which
    /// disposes those that can be disposed.
    /// </summary>
    public IReadOnlyList<IAddressLookup> AddressLookups { get; init; } = [];

    /// <summary>A few words about the endpoint that look-up services publish with its address, at most 245 bytes of UTF-8. Default: none.</summary>
    public string? UserData { get; init; }

    /// <summary>How long a dial may take. Default 30 s, as iroh.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Makes the endpoint's meters; null, the default, for meters that belong to nobody else.</summary>
    public IMeterFactory? MeterFactory { get; init; }
}
