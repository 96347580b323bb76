using System.Net;
using System.Net.Sockets;
using Iroh.Base;
using Iroh.LocalAddresses;
using Iroh.NetReport.AddressDiscovery;
using Iroh.PortMapping;
using Iroh.Quic;

namespace Iroh.NetReport.Diagnosis;

/// <summary>Examines what network this machine is in: its own addresses, what servers outside see, what the gateway does, what the kernel can.</summary>
public static class NetworkExamination
{
    /// <summary>Examines the network.</summary>
    /// <param name="options">Whom to ask.</param>
    /// <param name="onProgress">Called with a few words about each step, on any thread, one call at a time; null for nobody.</param>
    /// <param name="cancellationToken">Ends the examination without a result.</param>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    /// <exception cref="QuicBindException">No UDP socket can be bound.</exception>
    public static async Task<NetworkDiagnosis> RunAsync(
        NetworkExaminationOptions options, Action<string>? onProgress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        // As an endpoint would: the same sockets for everything.
        var sockets = new EndpointProbeSockets();
        await using QuicEndpoint endpoint = Bind(sockets);
        sockets.Attach(endpoint);
        await using var addressProbe = new AddressDiscoveryClient(
            endpoint, new AddressDiscoveryOptions { CertificateValidation = options.Reporter.CertificateValidation });
        return await RunAsync(options, sockets, addressProbe, onProgress, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<NetworkDiagnosis> RunAsync(
        NetworkExaminationOptions options, EndpointProbeSockets sockets, AddressDiscoveryClient addressProbe, Action<string>? onProgress,
        CancellationToken cancellationToken)
    {
        onProgress?.Invoke("looking at this machine's addresses");
        NetworkState state = NetworkInterfaces.Read();
        var request = new NetReportRequest
        {
            Relays = options.Relays,
            StunServers = options.StunServers,
            HasV4 = state.HasV4 || !state.HasV6,
            HasV6 = state.HasV6,
        };
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(options.Limit);
        PortMapper? mapper = StartMapper(options, state, sockets, onProgress);
        try
        {
            if (options.Relays.Count + options.StunServers.Count > 0)
                onProgress?.Invoke($"asking {Count(options.Relays.Count, "relay")} and {Count(options.StunServers.Count, "STUN server")}");
            using var reporter = new NetReporter(sockets, addressProbe, options.Reporter);
            NetReportResult report = await reporter.RunAsync(request, progress => onProgress?.Invoke(Summary(progress)), cancellationToken).ConfigureAwait(false);
            if (mapper is not null)
                await mapper.Tried.WaitAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
            return NetworkVerdict.Conclude(
                new NetworkDiagnosis
                {
                    LocalAddresses = LocalAddresses(state, sockets),
                    GatewayV4 = state.RouteV4?.Gateway,
                    GatewayV6 = state.RouteV6?.Gateway,
                    Report = report,
                    UdpOffload = UdpOffload.Detect(),
                    PortMapping = mapper?.Current,
                    PortMappingProblem = mapper is null || mapper.Tried.IsCompleted ? mapper?.Problem : "The gateway did not answer in time.",
                },
                request);
        }
        finally
        {
            if (mapper is not null)
                await mapper.DisposeAsync().ConfigureAwait(false);
        }
    }

    private static QuicEndpoint Bind(EndpointProbeSockets sockets)
    {
        var anyV4 = new IPEndPoint(IPAddress.Any, 0);
        try
        {
            return Create(sockets, [anyV4, new IPEndPoint(IPAddress.IPv6Any, 0)]);
        }
        catch (QuicBindException exception) when (exception.Address.AddressFamily == AddressFamily.InterNetworkV6)
        {
            return Create(sockets, [anyV4]);
        }
    }

    private static QuicEndpoint Create(EndpointProbeSockets sockets, IReadOnlyList<IPEndPoint> addresses) => QuicEndpoint.Create(
        new QuicEndpointOptions { LocalEndPoints = addresses, PrivateKeySeed = SecretKey.Generate().Seed.ToArray(), OtherDatagrams = sockets });

    private static PortMapper? StartMapper(NetworkExaminationOptions options, NetworkState state, EndpointProbeSockets sockets, Action<string>? onProgress)
    {
        if (!options.AskGateway || state.RouteV4?.Gateway is not { } gateway
            || sockets.LocalEndPoints.FirstOrDefault(socket => socket.AddressFamily == AddressFamily.InterNetwork) is not { } socket)
            return null;
        onProgress?.Invoke($"asking the gateway {gateway} for a port");
        return new PortMapper(new PortMapperOptions { InternalPort = socket.Port, Gateway = () => gateway }, _ => { });
    }

    private static IReadOnlyList<LocalNetworkAddress> LocalAddresses(NetworkState state, EndpointProbeSockets sockets) =>
        [.. DirectAddressSelection.Select([.. sockets.LocalEndPoints], [.. state.Addresses]).Select(endPoint => new LocalNetworkAddress(
            endPoint.Address,
            state.Addresses.FirstOrDefault(address => address.Address.Equals(endPoint.Address)).InterfaceName ?? ""))];

    private static string Count(int count, string what) => $"{count} {what}{(count == 1 ? "" : "s")}";

    private static string Summary(NetReportResult report)
    {
        IEnumerable<string> parts =
        [
            $"{report.Relays.Count(relay => relay.Best is not null)} of {Count(report.Relays.Count, "relay")} answered",
            .. new[] { report.GlobalV4, report.GlobalV6 }.OfType<IPEndPoint>().Select(address => $"seen as {address}"),
        ];
        return string.Join(", ", parts);
    }
}
