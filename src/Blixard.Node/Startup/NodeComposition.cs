using System.Net;
using Blixard.Cluster.Membership;
using Blixard.Cluster.Store;
using Blixard.Images;
using Blixard.MicroVm.Hosting;
using Blixard.MicroVm.Model;
using Blixard.MicroVm.Qemu;
using Blixard.Node.Events;
using Blixard.Node.Images;
using Blixard.Node.Liveness;
using Blixard.Node.Membership;
using Blixard.Node.Metrics;
using Blixard.Node.P2p;
using Blixard.Node.Peers;
using Blixard.Node.Services;
using Blixard.Node.Storage;
using Blixard.Node.Vms;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Grpc;
using Blixard.Rpc.Identity;
using Blixard.Rpc.Peers;
using Blixard.Rpc.Services;
using Blixard.V1;
using Iroh.Base;
using Iroh.Cryptography;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Blixard.Node.Startup;

/// <summary>
/// Puts a node together and takes it apart: data directory, key, P2P endpoint, (join), store, services, gRPC, links, local API,
/// VMs. What needs the key (gRPC to others, P2P, the member record) comes when the key can be read, now or later.
/// </summary>
internal sealed partial class NodeComposition : IAsyncDisposable
{
    // How often a key file that could not be read is looked at again: somebody is repairing it.
    private static readonly TimeSpan KeyInterval = TimeSpan.FromSeconds(2);

    private readonly NodeOptions _options;
    private readonly DataDirectory _directory;
    private readonly NodeMemory _memory;
    private readonly TimeProvider _time;
    private readonly ILoggerFactory _loggers;
    private readonly ILogger _logger;
    private readonly NodeMetrics _metrics = new();
    private readonly PeerTable _peers;
    private readonly P2pEndpoint _p2p;
    private readonly CancellationTokenSource _stopping = new();
    private NodeCertificateSource? _certificate;
    private IPEndPoint? _grpcAddress;
    private NodeCluster? _cluster;
    private IDisposable? _following;
    private RpcDispatcher? _dispatcher;
    private GrpcServer? _grpc;
    private GrpcServer? _api;
    private RecordPublisher? _publisher;
    private GrpcProbe? _probe;
    private Departure? _departure;
    private VmLoop? _vms;
    private NodeVitals? _vitals;
    private Task _waitingForKey = Task.CompletedTask;

    private NodeComposition(NodeOptions options, StartPlan plan, DataDirectory directory, NodeMemory memory, ILoggerFactory loggers, TimeProvider time)
    {
        (_options, _directory, _memory, _time, _loggers) = (options, directory, memory, time, loggers);
        _logger = loggers.CreateLogger<BlixardNode>();
        var capacity = new NodeCapacity
        {
            Vcpus = (uint?)options.Vcpus ?? NodeDefaults.Vcpus(),
            MemoryMib = (ulong?)options.MemoryMib ?? NodeDefaults.MemoryMib(),
        };
        Self = new NodeSelf(plan.Name, plan.IsServer, capacity, options.Labels);
        if (memory.Current?.EndpointId is { } known && EndpointId.TryParse(known, out EndpointId id))
            Self.Id = id;
        _peers = new PeerTable(() => Volatile.Read(ref _certificate), time, _metrics.Rpc, loggers.CreateLogger<PeerChannel>());
        _p2p = new P2pEndpoint(options, Self, Events, time, _metrics.Rpc, loggers);
        LinkMetrics.Observe(_metrics.Meters, () => _p2p.Links);
    }

    public NodeSelf Self { get; }

    public NodeEventHub Events { get; } = new();

    public NodeLifetime Lifetime { get; } = new();

    public string? HttpAddress => _metrics.Address?.ToString();

    public string ApiSocketPath => _directory.ApiSocketPath;

    public string ClusterId { get; private set; } = "";

    public static async Task<NodeComposition> StartAsync(
        NodeOptions options, NodeStart start, ILoggerFactory loggers, TimeProvider time, CancellationToken cancellationToken)
    {
        DataDirectory directory = DataDirectory.Open(options.DataDirectory);
        NodeComposition? composition = null;
        try
        {
            NodeFile? file = NodeFile.TryRead(directory.NodeFilePath);
            StartPlan plan = StartPlan.Make(options, start, file, directory.Path);
            composition = new NodeComposition(options, plan, directory, new NodeMemory(directory.NodeFilePath, file), loggers, time);
            await composition.StartAsync(plan, cancellationToken).ConfigureAwait(false);
            return composition;
        }
        catch (Exception e)
        {
            if (composition is null)
                directory.Dispose();
            else
                await composition.DisposeAsync().ConfigureAwait(false);
            if (e is IOException or UnauthorizedAccessException or StoreUnavailableException or MembershipException or VmException)
                throw new NodeStartException(NodeStartFailure.Failed, e.Message, e);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _waitingForKey.ConfigureAwait(false);
        if (_api is not null)
            await _api.DisposeAsync().ConfigureAwait(false);
        string reason = Lifetime.Ended.IsCompletedSuccessfully ? await Lifetime.Ended.ConfigureAwait(false) : "stopped";
        // Nobody should wonder about QEMU processes later.
        (IReadOnlyList<string> running, IReadOnlyList<string> movable) = (_vms?.Running ?? [], _vms?.RunningMovable ?? []);
        if (_vms is not null)
            await _vms.DisposeAsync().ConfigureAwait(false);
        if (_vitals is not null)
        {
            await _vitals.DisposeAsync().ConfigureAwait(false);
            reason += _vitals.DescribeEnd(running, movable);
        }

        if (_publisher is not null)
            await _publisher.DisposeAsync().ConfigureAwait(false);
        if (_probe is not null)
            await _probe.DisposeAsync().ConfigureAwait(false);
        await _p2p.DisposeAsync().ConfigureAwait(false);
        if (_grpc is not null)
            await _grpc.DisposeAsync().ConfigureAwait(false);
        _following?.Dispose();
        if (_cluster is not null)
            await _cluster.DisposeAsync().ConfigureAwait(false);
        _peers.Dispose();
        _certificate?.Dispose();
        await _metrics.DisposeAsync().ConfigureAwait(false);
        Events.Publish(new StoppedEvent(reason));
        Events.Complete();
        File.Delete(_directory.ApiSocketPath);
        _directory.Dispose();
        _stopping.Dispose();
    }

    private async Task StartAsync(StartPlan plan, CancellationToken cancellationToken)
    {
        SecretKey? key = KeyLoader.TryLoad(_directory.KeyPath, _memory.Current?.EndpointId, out string problem);
        if (key is not null)
            await BindAsync(key, cancellationToken).ConfigureAwait(false);
        else
            LoseKey(problem);
        if (plan.Ticket is { } ticket)
            await JoinAsync(ticket, key, problem, cancellationToken).ConfigureAwait(false);

        _cluster = new NodeCluster(OpenStore(plan.IsServer), plan.IsServer, _time, _loggers);
        _vms = Compose(_cluster);
        _vms.Start(await OpenHostAsync(_vms, cancellationToken).ConfigureAwait(false));
        _following = _cluster.Directory.Subscribe(OnMembers);
        _api = await GrpcServer.StartAsync(
            new GrpcServerOptions { UnixSocketPath = _directory.ApiSocketPath }, _dispatcher!, _loggers, cancellationToken).ConfigureAwait(false);
        await _metrics.StartAsync(_options, Self.Name, () => Self.P2p.State == P2pState.Degraded ? Self.P2p.Reason : "", _ => Task.FromResult(""), _loggers, cancellationToken).ConfigureAwait(false);
        if (key is not null)
            await ServeOthersAsync(key, cancellationToken).ConfigureAwait(false);
        else
            _waitingForKey = Task.Run(WaitForKeyAsync, CancellationToken.None);
        Events.Publish(new ReadyEvent(
            Self.Name, Self.Id?.ToString(), Self.GrpcAddress is { Length: > 0 } grpc ? grpc : null, HttpAddress, _directory.ApiSocketPath, ClusterId,
            plan.IsServer ? "server" : "worker"));
    }

    /// <summary>What the key is needed for before the cluster is: identity, certificate, UDP socket, a gRPC port.</summary>
    private async Task BindAsync(SecretKey key, CancellationToken cancellationToken)
    {
        Self.Id = key.PublicKey;
        IPEndPoint grpc = GrpcAddress.Choose(_options.Grpc, _memory.Current?.GrpcPort ?? 0);
        string advertised = GrpcAddress.Advertise(grpc);
        Volatile.Write(ref _certificate, new NodeCertificateSource(key.Seed, _time, [IPEndPoint.Parse(advertised).Address.ToString()]));
        _grpcAddress = grpc;
        Self.GrpcAddress = advertised;
        await _p2p.TryBindAsync(key, _memory.Current?.UdpPort ?? 0, cancellationToken).ConfigureAwait(false);
    }

    private void LoseKey(string problem)
    {
        LogNoKey(problem);
        _p2p.Degrade(problem);
        Events.Publish(new WarningEvent(problem));
    }

    private async Task JoinAsync(Cluster.Tokens.JoinTicket ticket, SecretKey? key, string problem, CancellationToken cancellationToken)
    {
        if (key is null)
            throw new NodeStartException(NodeStartFailure.Failed, problem);
        var joiner = new Joiner(ticket, Self, _certificate!, _time, _metrics.Rpc);
        IReadOnlyList<Member> members = await joiner.JoinAsync(_p2p.Endpoint, cancellationToken).ConfigureAwait(false);
        ClusterId = ticket.ClusterId;
        _memory.Set(new NodeFile
        {
            Name = Self.Name,
            ClusterId = ticket.ClusterId,
            IsServer = false,
            EndpointId = Self.Id!.Value.ToString(),
            Servers = KnownServers.From(members),
        });
    }

    private IClusterStore OpenStore(bool isServer)
    {
        ClusterId = _memory.Current?.ClusterId ?? "";
        if (isServer)
            return SqliteStore.Open(_directory.StorePath, _time, OperatingSystemRandomSource.Instance);
        if (_memory.Current is not { Servers: [KnownServer server, ..] })
            throw new NodeStartException(NodeStartFailure.Failed, $"{_directory.NodeFilePath} names no server of the cluster. Let the node join again.");
        Peer peer = _peers.Put(EndpointId.Parse(server.EndpointId), server.Name, server.Grpc);
        return new RemoteStore(peer.Channel, server.Name, _time);
    }

    private Task<VmHost> OpenHostAsync(VmLoop vms, CancellationToken cancellationToken)
    {
        var driver = new QemuDriver(new QemuDriverOptions { DataDirectory = _directory.Path, Program = _options.QemuProgram, Guard = _vitals!.Guard });
        return VmHost.OpenAsync(
            new VmHostOptions { DataDirectory = _directory.Path, Prepare = vms.PrepareAsync, Permit = vms.PermitAsync, TimeProvider = _time }, driver, cancellationToken);
    }

    private VmLoop Compose(NodeCluster cluster)
    {
        var images = new NodeImages(Self, cluster, _peers, Events, ImageStore.Open(_directory.ImagesPath, _time), _time);
        _vitals = new NodeVitals(Self, cluster, _options.NodeTtl, _directory.GuardPath, Events, _time, _loggers);
        NodeLease lease = _vitals.Lease;
        var vms = new VmLoop(Self, cluster, images, lease, Events, _directory.VmsPath, _time);
        var status = new StatusReport(Self, cluster, _peers, _p2p, _vitals, () => ClusterId);
        _departure = new Departure(Self, cluster, _memory, Lifetime, Events, async leaving =>
        {
            await vms.EndAllAsync(leaving).ConfigureAwait(false);
            await lease.RevokeAsync(leaving).ConfigureAwait(false);
        });
        RpcServiceTable? table = null;
        List<RpcService> services =
        [
            new ClusterService(Self, cluster, status, _departure, _time).Bind(),
            new VmService(Self, cluster, status, _peers, () => vms.Host).Bind(),
            new ImageService(images, cluster).Bind(),
            new HealthService(() => table!.Names).Bind(),
            new LocalService(Lifetime).Bind(),
        ];
        if (cluster.IsStoreHere)
            services.Add(new StoreService(cluster.Store, _time).Bind());
        table = new RpcServiceTable(services);
        var authorizer = new MemberAuthorizer(cluster.Directory.IsMemberAsync);
        _dispatcher = new RpcDispatcher(table, authorizer.AuthorizeAsync, _time, _metrics.Rpc, _loggers.CreateLogger<RpcDispatcher>());
        return vms;
    }

    /// <summary>What the key is needed for after the services are there: gRPC to others, the member record, links.</summary>
    private async Task ServeOthersAsync(SecretKey key, CancellationToken cancellationToken)
    {
        NodeCluster cluster = _cluster!;
        try
        {
            _grpc ??= await GrpcServer.StartAsync(
                new GrpcServerOptions { Address = _grpcAddress, Certificate = _certificate }, _dispatcher!, _loggers, cancellationToken).ConfigureAwait(false);
        }
        catch (IOException e)
        {
            string why = e.InnerException is AddressInUseException
                ? "another program uses the port. Choose another with --grpc, or port 0 for any free one."
                : e.Message;
            throw new NodeStartException(NodeStartFailure.Failed, $"gRPC cannot be served at {_grpcAddress}: {why}", e);
        }

        if (cluster.IsStoreHere)
        {
            Admission admission = await cluster.Members.BootstrapAsync(
                Self.ToInfo(), Self.ToAddress(), OperatingSystemRandomSource.Instance, cancellationToken).ConfigureAwait(false);
            ClusterId = admission.ClusterId;
        }

        NodeFile file = _memory.Current ?? new NodeFile { Name = Self.Name, ClusterId = ClusterId, IsServer = Self.IsServer };
        _memory.Set(file with { EndpointId = key.PublicKey.ToString(), GrpcPort = _grpcAddress!.Port });
        RememberPort();
        Self.RecordChanged += RememberPort;
        var runner = new IrohServiceRunner(_dispatcher!, _loggers.CreateLogger<IrohServiceRunner>());
        _p2p.Serve(key, cluster.Directory, runner, _peers, Self.IsServer ? null : _memory.Current?.Servers[0]);
        _probe = new GrpcProbe(_peers, _time);
        _vitals!.Start(key.PublicKey, () => _vms!.HasMovable, () => Self.IsServer);
        _publisher = new RecordPublisher(Self, cluster.Members, Events, _time, _loggers.CreateLogger<RecordPublisher>());
    }

    // The port under which others know this node is the first that is tried at the next start.
    private void RememberPort()
    {
        if (_p2p.Endpoint?.BoundSockets[0].Port is not { } port)
            return;
        Note(file => file with { UdpPort = port });
    }

    private void Note(Func<NodeFile, NodeFile> change)
    {
        try
        {
            _memory.Update(change);
        }
        catch (IOException e)
        {
            Events.Publish(new WarningEvent($"What the node remembers for its next start could not be written: {e.Message}"));
        }
    }

    private async Task WaitForKeyAsync()
    {
        string told = "";
        using var timer = new PeriodicTimer(KeyInterval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
            {
                try
                {
                    if (KeyLoader.TryLoad(_directory.KeyPath, _memory.Current?.EndpointId, out string problem) is { } key)
                    {
                        // What was reached before a failure stays.
                        if (_certificate is null)
                            await BindAsync(key, _stopping.Token).ConfigureAwait(false);
                        await ServeOthersAsync(key, _stopping.Token).ConfigureAwait(false);
                        return;
                    }

                    _p2p.Degrade(problem);
                }
                catch (Exception e) when (e is NodeStartException or MembershipException or StoreUnavailableException or IOException or UnauthorizedAccessException)
                {
                    if (told != e.Message)
                        LoseKey($"The key can be read again, but: {e.Message}");
                    told = e.Message;
                }
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    private void OnMembers(MembersUpdate update)
    {
        _peers.OnMembers(update, Self.Id);
        if (update.Changes.Any(change => change.Id == Self.Id && change.Kind == MemberChangeKind.Removed))
            _departure!.OnRemoved();
        foreach (MemberChange change in update.Changes.Where(change => change.Id != Self.Id && !update.IsSnapshot))
        {
            if (change.Kind == MemberChangeKind.Added)
                Events.Publish(new MemberJoinedEvent(change.Member.Node.Name, change.Id.ToString()));
            else if (change.Kind == MemberChangeKind.Removed)
                Events.Publish(new MemberLeftEvent(change.Member.Node.Name, change.Id.ToString()));
        }

        if (Self.IsServer)
            return;
        IReadOnlyList<KnownServer> servers = KnownServers.From(
            update.Changes.Where(change => change.Kind != MemberChangeKind.Removed).Select(change => change.Member));
        if (servers.Count == 0)
            return;
        Note(file => file with { Servers = servers });
    }

    [LoggerMessage(EventId = 6001, EventName = "KeyUnusable", Level = LogLevel.Error, Message = "The node serves its local API only, and tries again: {Problem}")]
    private partial void LogNoKey(string problem);
}
