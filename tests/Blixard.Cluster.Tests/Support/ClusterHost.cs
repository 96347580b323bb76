using System.Net;
using Blixard.Cluster.Links;
using Blixard.Cluster.Membership;
using Blixard.Cluster.Store;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Peers;
using Blixard.Rpc.Services;
using Blixard.V1;
using Iroh;
using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Protocols;
using Microsoft.Extensions.Logging.Abstractions;

namespace Blixard.Cluster.Tests.Support;

/// <summary>One node's endpoint, services and connector on loopback, over a store that all hosts of a test share.</summary>
internal sealed class ClusterHost : IAsyncDisposable
{
    private readonly TemporaryStore _temporary;
    private readonly RpcMetrics _metrics = new();
    private readonly Dictionary<EndpointId, PeerChannel> _channels = [];
    private readonly ProtocolRouter _router;

    private ClusterHost(TemporaryStore temporary, int number, IrohEndpoint endpoint, LinkTiming timing)
    {
        (_temporary, Number, Endpoint) = (temporary, number, endpoint);
        Directory = new MemberDirectory(temporary.Members, isStoreHere: false, NullLogger<MemberDirectory>.Instance);
        var dispatcher = new RpcDispatcher(
            new RpcServiceTable([new StoreService(temporary.Store, TimeProvider.System).Bind(), Health(), Cluster()]),
            new MemberAuthorizer(Directory.IsMemberAsync).AuthorizeAsync, TimeProvider.System, _metrics, NullLogger<RpcDispatcher>.Instance);
        Connector = new IrohPeerConnector(new PeerConnectorOptions
        {
            Name = $"node-{number}",
            Endpoint = endpoint,
            Members = Directory,
            Runner = new IrohServiceRunner(dispatcher, NullLogger<IrohServiceRunner>.Instance),
            ChannelOf = ChannelOf,
            Time = TimeProvider.System,
            Random = OperatingSystemRandomSource.Instance,
            Logger = NullLogger<IrohPeerConnector>.Instance,
            Timing = timing,
        });
        _router = new ProtocolRouter(endpoint, new Dictionary<string, IProtocolHandler> { [IrohServiceRunner.Alpn] = Connector });
    }

    public int Number { get; }

    public IrohEndpoint Endpoint { get; }

    public MemberDirectory Directory { get; }

    public IrohPeerConnector Connector { get; }

    public IPEndPoint Socket => Endpoint.BoundSockets[0];

    /// <param name="isMember">Whether its record is written.</param>
    public static async Task<ClusterHost> StartAsync(
        TemporaryStore temporary, int number, bool isMember = true, int port = 0, LinkTiming? timing = null)
    {
        IrohEndpoint endpoint = await IrohEndpoint.BindAsync(new IrohEndpointOptions
        {
            SecretKey = TemporaryStore.Key(number),
            BindAddresses = [new IPEndPoint(IPAddress.Loopback, port)],
        });
        if (isMember)
        {
            Blixard.V1.EndpointAddress address = MemberAddress.ToMessage(endpoint.Address);
            if (number == 1)
                await temporary.Members.BootstrapAsync(TemporaryStore.Node(1), address, TemporaryStore.ClusterId);
            else
                await temporary.Members.JoinAsync((await temporary.Tokens.CreateAsync(NodeRole.Worker)).Secret, TemporaryStore.Node(number), address);
        }

        return new ClusterHost(temporary, number, endpoint, timing ?? new LinkTiming());
    }

    public PeerChannel ChannelOf(EndpointId id)
    {
        lock (_channels)
        {
            if (!_channels.TryGetValue(id, out PeerChannel? channel))
                _channels.Add(id, channel = new PeerChannel(id.ToShortString(), null, TimeProvider.System, _metrics, TimeSpan.Zero));
            return channel;
        }
    }

    /// <summary>Looks until a link is as it should be; a link tells of itself by its status only.</summary>
    public async Task<LinkStatus> UntilAsync(int peer, Func<LinkStatus, bool> condition)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            LinkStatus? status = Connector.TryGetLink(TemporaryStore.Id(peer));
            if (status is not null && condition(status))
                return status;
            if (patience.IsCancellationRequested)
                throw new TimeoutException($"node {Number}: {status}");
            await Task.Delay(10);
        }
    }

    public Task<LinkStatus> ReadyAsync(int peer) => UntilAsync(peer, status => status is { State: LinkState.Ready, RoundTripTime: not null });

    public Task<PingResponse> PingAsync(int peer) => ChannelOf(TemporaryStore.Id(peer)).CallAsync(
        ClusterMethods.Ping, new PingRequest(), RpcCallOptions.Within(TimeSpan.FromSeconds(10)));

    /// <summary>Ends it without a word to its peers, as kill -9 does, as far as one process can.</summary>
    public async Task CloseEndpointAsync() => await Endpoint.DisposeAsync();

    public async ValueTask DisposeAsync()
    {
        await Connector.DisposeAsync();
        await _router.DisposeAsync();
        await Endpoint.DisposeAsync();
        await Directory.DisposeAsync();
        _metrics.Dispose();
    }

    private static RpcService Health() => new RpcService(HealthReflection.Descriptor, "Health")
        .Unary(HealthMethods.Check, (_, _) => Task.FromResult(new HealthCheckResponse { Status = ServingStatus.Serving }))
        .ServerStreaming(HealthMethods.Watch, (_, _) => Enumerable.Empty<HealthCheckResponse>().ToAsyncEnumerable());

    private RpcService Cluster() => new RpcService(ClusterReflection.Descriptor, "Cluster")
        .Unary(ClusterMethods.Join, async (request, _) =>
        {
            Admission admission = await _temporary.Members.JoinAsync(request.Token.Memory, request.Node, request.P2PNodeAddr);
            return new JoinResponse { ClusterId = admission.ClusterId, Revision = admission.Revision };
        })
        .Unary(ClusterMethods.Leave, async (_, context) =>
            new LeaveResponse { Revision = await _temporary.Members.LeaveAsync(EndpointId.FromBytes(context.Peer.EndpointId!.Value.Span)) })
        .Unary(ClusterMethods.UpdateNode, (_, _) => Task.FromResult(new UpdateNodeResponse()))
        .Unary(ClusterMethods.Status, (_, _) => Task.FromResult(new StatusResponse()))
        .Unary(ClusterMethods.Ping, (_, _) => Task.FromResult(new PingResponse { Name = $"node-{Number}" }))
        .Unary(ClusterMethods.CreateToken, (_, _) => Task.FromResult(new CreateTokenResponse()))
        .ServerStreaming(ClusterMethods.WatchMembers, (_, _) => Enumerable.Empty<WatchMembersResponse>().ToAsyncEnumerable());
}
