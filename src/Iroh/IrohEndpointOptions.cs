using System.Diagnostics.Metrics;
using System.Net;
using Iroh.Base;
using Iroh.Lookup;
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
