using System.Net;
using System.Net.Sockets;
using Iroh.LocalAddresses;
using Iroh.NetReport.AddressDiscovery;
using Iroh.PortMapping;
using Iroh.Quic;

namespace Iroh.NetReport;

/// <summary>
/// Finds out, for as long as an endpoint lives, how the outside sees it: net reports in a loop, and a port of the gateway. Asks nobody
/// unless relays or STUN servers were named. May be used from any thread.
/// </summary>
internal sealed class NetworkOutlook : IAsyncDisposable
{
    private readonly NetReporter? _reporter;
    private readonly NetReportLoop? _loop;
    private readonly AddressDiscoveryClient? _addresses;
    private readonly PortMapper? _mapper;
    private NetReportResult? _last;

    /// <param name="options">The endpoint's.</param>
    /// <param name="quic">The endpoint's; stays the caller's.</param>
    /// <param name="sockets">The same sockets for other datagrams; stay the caller's.</param>
    /// <param name="network">The machine's network at any time.</param>
    /// <param name="onReport">Told of reports, finished or still going on, one call at a time; must not block.</param>
    /// <param name="onMapped">Told of the gateway's port, one call at a time; must not block.</param>
    public NetworkOutlook(
        IrohEndpointOptions options, QuicEndpoint quic, EndpointProbeSockets sockets, Func<NetworkState> network,
        Action<NetReportResult> onReport, Action<MappedPort?> onMapped)
    {
        if (options.Relays.Count == 0 && options.StunServers.Count == 0)
            return;
        _addresses = new AddressDiscoveryClient(quic, new AddressDiscoveryOptions
        {
            CertificateValidation = options.RelayCertificateValidation,
            Changed = (_, _) => _loop?.Ask(isMajor: false),
        });
        _reporter = new NetReporter(
            sockets, _addresses, new NetReporterOptions { CertificateValidation = options.RelayCertificateValidation });
        _loop = new NetReportLoop(
            _reporter,
            () => new NetReportRequest
            {
                Relays = options.Relays,
                StunServers = options.StunServers,
                HasV4 = network().HasV4,
                HasV6 = network().HasV6,
            },
            report =>
            {
                Volatile.Write(ref _last, report);
                onReport(report);
            });
        if (options.MapPorts && options.Relays.Count > 0 && WildcardV4(sockets.LocalEndPoints) is { } socket)
            _mapper = new PortMapper(new PortMapperOptions { InternalPort = socket.Port }, onMapped);
    }

    /// <summary>The last report, finished or still going on; null before the first.</summary>
    public NetReportResult? Last => Volatile.Read(ref _last);

    /// <summary>The network changed: looks again.</summary>
    public void OnNetworkChange(bool isMajor)
    {
        _loop?.Ask(isMajor);
        if (!isMajor)
            return;
        // What the relays said before holds no more; who asks meanwhile gets the old answer, and the next report the new one.
        _ = _addresses?.ForgetAsync();
        _mapper?.Restart();
    }

    /// <summary>Gives the gateway's port back and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_loop is not null)
            await _loop.DisposeAsync().ConfigureAwait(false);
        _reporter?.Dispose();
        if (_addresses is not null)
            await _addresses.DisposeAsync().ConfigureAwait(false);
        if (_mapper is not null)
            await _mapper.DisposeAsync().ConfigureAwait(false);
    }

    // A socket bound to one address is reachable where the user wants it to be.
    private static IPEndPoint? WildcardV4(IReadOnlyList<IPEndPoint> sockets) =>
        sockets.FirstOrDefault(socket => socket.AddressFamily == AddressFamily.InterNetwork && socket.Address.Equals(IPAddress.Any));
}
