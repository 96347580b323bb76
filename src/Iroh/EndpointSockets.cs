using System.Net;
using System.Net.Sockets;
using System.Text;
using Iroh.Base;
using Iroh.NetReport;
using Iroh.Quic;
using Iroh.Relay.Client;
using Iroh.Relays;

namespace Iroh;

/// <summary>The parts of an endpoint through which datagrams pass: QUIC with its sockets, the relays beside them, and probes on the same ports.</summary>
/// <param name="Quic">QUIC over all ways.</param>
/// <param name="Relays">Null if relays are not to be used.</param>
/// <param name="Probes">Datagrams that are not QUIC.</param>
internal sealed record EndpointSockets(QuicEndpoint Quic, RelayTransport? Relays, EndpointProbeSockets Probes)
{
    /// <summary>Binds what the options say.</summary>
    /// <exception cref="QuicBindException">An address cannot be bound.</exception>
    public static EndpointSockets Bind(IrohEndpointOptions options)
    {
        var probes = new EndpointProbeSockets();
        RelayTransport? relays = options.UseRelays ? CreateRelays(options) : null;
        QuicEndpoint quic = BindQuic(options, relays, probes);
        probes.Attach(quic);
        return new EndpointSockets(quic, relays, probes);
    }

    private static RelayTransport CreateRelays(IrohEndpointOptions options)
    {
        Dictionary<RelayUrl, string?> tokens = options.Relays.DistinctBy(relay => relay.Url).ToDictionary(relay => relay.Url, relay => relay.Token);
        return new RelayTransport(new RelayPoolOptions
        {
            SecretKey = options.SecretKey,
            TokenOf = tokens.GetValueOrDefault,
            CertificateValidation = options.RelayCertificateValidation,
            MeterFactory = options.MeterFactory,
        });
    }

    private static QuicEndpoint BindQuic(IrohEndpointOptions options, RelayTransport? relays, EndpointProbeSockets probes)
    {
        if (options.BindAddresses is { } addresses)
            return Create(options, addresses, relays, probes);
        var anyIPv4 = new IPEndPoint(IPAddress.Any, 0);
        try
        {
            return Create(options, [anyIPv4, new IPEndPoint(IPAddress.IPv6Any, 0)], relays, probes);
        }
        catch (QuicBindException exception) when (exception.Address.AddressFamily == AddressFamily.InterNetworkV6)
        {
            return Create(options, [anyIPv4], relays, probes);
        }
    }

    private static QuicEndpoint Create(
        IrohEndpointOptions options, IReadOnlyList<IPEndPoint> addresses, RelayTransport? relays, EndpointProbeSockets probes) =>
        QuicEndpoint.Create(new QuicEndpointOptions
        {
            LocalEndPoints = addresses,
            PrivateKeySeed = options.SecretKey.Seed.ToArray(),
            ApplicationProtocols = [.. options.ApplicationProtocols.Select(protocol => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(protocol))],
            Connections = options.Connections,
            VirtualTransport = relays,
            OtherDatagrams = probes,
            MeterFactory = options.MeterFactory,
        });
}
