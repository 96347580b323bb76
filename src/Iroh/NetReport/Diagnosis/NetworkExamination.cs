using System.Net;
using System.Net.Sockets;
using Iroh.LocalAddresses;
using Iroh.PortMapping;

namespace Iroh.NetReport.Diagnosis;

/// <summary>Examines what network this machine is in: its own addresses, what servers outside see, what the gateway does, what the kernel can.</summary>
public static class NetworkExamination
{
    /// <summary>Examines the network.</summary>
    /// <param name="options">Whom to ask.</param>
    /// <param name="sockets">The sockets whose public addresses are wanted. Not owned.</param>
    /// <param name="addressProbe">Asks relays by QUIC address discovery from the same sockets; null: nobody is asked that way. Not owned.</param>
    /// <param name="onProgress">Called with a few words about each step, on any thread, one call at a time; null for nobody.</param>
    /// <param name="cancellationToken">Ends the examination without a result.</param>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    public static async Task<NetworkDiagnosis> RunAsync(
        NetworkExaminationOptions options, IProbeSockets sockets, IAddressProbe? addressProbe = null, Action<string>? onProgress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(sockets);
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

    private static PortMapper? StartMapper(NetworkExaminationOptions options, NetworkState state, IProbeSockets sockets, Action<string>? onProgress)
    {
        if (!options.AskGateway || state.RouteV4?.Gateway is not { } gateway
            || sockets.LocalEndPoints.FirstOrDefault(socket => socket.AddressFamily == AddressFamily.InterNetwork) is not { } socket)
            return null;
        onProgress?.Invoke($"asking the gateway {gateway} for a port");
        return new PortMapper(new PortMapperOptions { InternalPort = socket.Port, Gateway = () => gateway }, _ => { });
    }

    private static IReadOnlyList<LocalNetworkAddress> LocalAddresses(NetworkState state, IProbeSockets sockets) =>
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
