using System.Net;
using Blixard.Cluster.Membership;
using Blixard.Cluster.Store;
using Blixard.Cluster.Tokens;
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
using Blixard.Node.Raft;
using Blixard.Node.Services;
using Blixard.Node.Storage;
using Blixard.Node.Vms;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Grpc;
using Blixard.Rpc.Identity;
using Blixard.Rpc.Peers;
using Blixard.Rpc.Services;
using Blixard.V1;
using Google.Protobuf;
using Iroh.Base;
using Iroh.Blobs.Store;
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
    // An etcd that has nobody to wait for serves within a second; a full replay of its log takes several on a slow disk.
    private static readonly TimeSpan ServingLimit = TimeSpan.FromSeconds(60);

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
    private RaftHost? _raft;
    private NodeStore? _store;
    private NodeCluster? _cluster;
    private MemberKeeper? _keeper;
    private IDisposable? _following;
    private RpcDispatcher? _dispatcher;
    private GrpcServer? _grpc;
    private GrpcServer? _api;
    private RecordPublisher? _publisher;
    private GrpcProbe? _probe;
    private Departure? _departure;
    private VmLoop? _vms;
    private DiskBlobStore? _content;
    private NodeBlobs? _blobs;
    private NodeImages? _images;
    private ImageUpkeep? _upkeep;
    private NodeCatalogue? _catalogue;
    private NodeVitals? _vitals;
    private Task _waitingForKey = Task.CompletedTask;
    private Task _noticing = Task.CompletedTask;
    private Task _ending = Task.CompletedTask;

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
        await _noticing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _ending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_api is not null)
            await _api.DisposeAsync().ConfigureAwait(false);
        string reason = Lifetime.Ended.IsCompletedSuccessfully ? await Lifetime.Ended.ConfigureAwait(false) : "stopped";
        // Nobody should wonder about QEMU processes later.
        (IReadOnlyList<string> running, IReadOnlyList<string> movable) = (_vms?.Running ?? [], _vms?.RunningMovable ?? []);
        if (_vms is not null)
            await _vms.DisposeAsync().ConfigureAwait(false);
        if (_upkeep is not null)
            await _upkeep.DisposeAsync().ConfigureAwait(false);
        if (_vitals is not null)
        {
            await _vitals.DisposeAsync().ConfigureAwait(false);
            reason += _vitals.DescribeEnd(running, movable);
        }

        if (_publisher is not null)
            await _publisher.DisposeAsync().ConfigureAwait(false);
        if (_probe is not null)
            await _probe.DisposeAsync().ConfigureAwait(false);
        // While the tunnels still stand: a leader hands its office over.
        if (_raft is not null)
            await _raft.DisposeAsync().ConfigureAwait(false);
        if (_departure is { HasLeft: true })
            PutEtcdAway();
        await _p2p.DisposeAsync().ConfigureAwait(false);
        if (_catalogue is not null)
            await _catalogue.DisposeAsync().ConfigureAwait(false);
        if (_grpc is not null)
            await _grpc.DisposeAsync().ConfigureAwait(false);
        // Now nobody asks for content any more.
        _images?.Dispose();
        _blobs?.Dispose();
        if (_content is not null)
            await _content.DisposeAsync().ConfigureAwait(false);
        _following?.Dispose();
        if (_keeper is not null)
            await _keeper.DisposeAsync().ConfigureAwait(false);
        if (_cluster is not null)
            await _cluster.DisposeAsync().ConfigureAwait(false);
        if (_store is not null)
            await _store.DisposeAsync().ConfigureAwait(false);
        _peers.Dispose();
        _certificate?.Dispose();
        await _metrics.DisposeAsync().ConfigureAwait(false);
        Events.Publish(new StoppedEvent(reason));
        Events.Complete();
        File.Delete(_directory.ApiSocketPath);
        _directory.Dispose();
        _stopping.Dispose();
    }

    // What keeps this node from serving its cluster. P2P is not needed for it.
    private string Trouble() => _raft?.View.Report is { Healthy: false } report ? $"Raft: {report.Reason}"
        : Self.GrpcAddress.Length == 0 ? Self.P2p.Reason
        : "";

    private async Task StartAsync(StartPlan plan, CancellationToken cancellationToken)
    {
        SecretKey? key = KeyLoader.TryLoad(_directory.KeyPath, _memory.Current?.EndpointId, out string problem);
        if (key is not null)
            await BindAsync(key, cancellationToken).ConfigureAwait(false);
        else
            LoseKey(problem);
        JoinResponse? joined = plan.Join is { } join ? await JoinAsync(join, key, problem, cancellationToken).ConfigureAwait(false) : null;
        IReadOnlyList<Member> known = LoadMembers();
        if (plan.IsServer && (joined?.Store.Engine ?? plan.Engine) == StoreEngine.Etcd)
            _raft = await new RaftStart(Self, _options, _directory, _memory, _peers, _metrics, Events, _time, _loggers)
                .StartAsync(joined, known, key is null ? null : CallServersAsync, problem, cancellationToken).ConfigureAwait(false);
        _store = OpenStore(plan.IsServer, known);
        _cluster = new NodeCluster(_store.Store, _store.IsOnlyHere, known, _time, _loggers);
        _keeper = new MemberKeeper(_directory.MembersPath, _memory, () => _cluster.Directory.Current.Values, Events);
        _vms = Compose(_cluster, _store, await OpenImagesAsync(_cluster, cancellationToken).ConfigureAwait(false));
        _vms.Start(await OpenHostAsync(_vms, cancellationToken).ConfigureAwait(false));
        _following = _cluster.Directory.Subscribe(OnMembers);
        _api = await GrpcServer.StartAsync(
            new GrpcServerOptions { UnixSocketPath = _directory.ApiSocketPath }, _dispatcher!, _loggers, cancellationToken).ConfigureAwait(false);
        await _metrics.StartAsync(
            _options, Self.Name, Trouble, token => _raft?.ReadNumbersAsync(token) ?? Task.FromResult(""), _loggers, cancellationToken).ConfigureAwait(false);
        if (key is not null)
            await ServeOthersAsync(key, cancellationToken).ConfigureAwait(false);
        if (key is not null && joined is not null && _raft is not null)
            await _raft.WaitUntilServingAsync(ServingLimit, cancellationToken).ConfigureAwait(false);
        if (key is null)
        {
            var late = new LateKey(_directory.KeyPath, () => _memory.Current?.EndpointId, UseLateKeyAsync, _p2p.Degrade, LoseKey, _time);
            _waitingForKey = Task.Run(() => late.WaitAsync(_stopping.Token), CancellationToken.None);
        }

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

    private async Task<JoinResponse> JoinAsync(NodeStart.Join join, SecretKey? key, string problem, CancellationToken cancellationToken)
    {
        if (key is null)
            throw new NodeStartException(NodeStartFailure.Failed, problem);
        // A server that cannot run etcd would be a member that never votes.
        if (join.AsServer)
            await RaftHost.RequireProgramAsync(_options.EtcdProgram, _time, cancellationToken).ConfigureAwait(false);
        var request = new JoinRequest { Token = ByteString.CopyFrom(join.Ticket.Secret.Span), Replace = join.Replace ?? "" };
        JoinResponse response = await CallServersAsync(join.Ticket.Servers, request, cancellationToken).ConfigureAwait(false);
        MemberCache.Save(_directory.MembersPath, response.Members);
        _memory.Set(new NodeFile
        {
            Name = Self.Name,
            ClusterId = join.Ticket.ClusterId,
            IsServer = Self.IsServer,
            Engine = response.Store.Engine,
            EndpointId = Self.Id!.Value.ToString(),
            Servers = KnownServers.From(response.Members),
        });
        return response;
    }

    private Task<JoinResponse> CallServersAsync(IReadOnlyList<TicketServer> servers, JoinRequest request, CancellationToken cancellationToken) =>
        new Joiner(Self, _certificate!, _options.Lookups.CanResolve, _time, _metrics.Rpc, _loggers.CreateLogger<Joiner>()).JoinAsync(servers, request, _p2p.Endpoint, cancellationToken);

    // Whom the node knew when it ran last: so it finds the servers, and they each other, before the store answers.
    private IReadOnlyList<Member> LoadMembers()
    {
        IReadOnlyList<Member> members = MemberCache.Load(_directory.MembersPath, out string problem);
        if (problem.Length > 0)
            Events.Publish(new WarningEvent(problem));
        return members.Count > 0 ? members : [.. KnownServers.ToMembers(_memory.Current?.Servers ?? [])];
    }

    private NodeStore OpenStore(bool isServer, IReadOnlyList<Member> known)
    {
        ClusterId = _memory.Current?.ClusterId ?? "";
        if (_raft is not null)
            return NodeStore.OpenShared(Self, _peers, _raft.Store, known, _time);
        if (isServer)
            return NodeStore.OpenSqlite(_directory.StorePath, _time);
        if (!known.Any(member => member.Node.Role == NodeRole.Server))
            throw new NodeStartException(NodeStartFailure.Failed, $"{_directory.NodeFilePath} names no server of the cluster. Let the node join again.");
        return NodeStore.OpenShared(Self, _peers, null, known, _time);
    }

    private Task<VmHost> OpenHostAsync(VmLoop vms, CancellationToken cancellationToken)
    {
        var driver = new QemuDriver(new QemuDriverOptions { DataDirectory = _directory.Path, Program = _options.QemuProgram, Guard = _vitals!.Guard });
        return VmHost.OpenAsync(
            new VmHostOptions { DataDirectory = _directory.Path, Prepare = vms.PrepareAsync, Permit = vms.PermitAsync, TimeProvider = _time }, driver, cancellationToken);
    }

    private async Task<NodeImages> OpenImagesAsync(NodeCluster cluster, CancellationToken cancellationToken)
    {
        _content = DiskBlobStore.Open(_directory.BlobsPath, new BlobStoreOptions { BytesMax = _options.ImageQuotaBytes, TimeProvider = _time });
        ImageStore images = await ImageStore.OpenAsync(_content, _directory.ImageFilesPath, _time, cancellationToken).ConfigureAwait(false);
        _blobs = new NodeBlobs(_content, cluster.Directory, _p2p, _time);
        return _images = new NodeImages(Self, cluster, _peers, _blobs, Events, images, _time);
    }

    private VmLoop Compose(NodeCluster cluster, NodeStore store, NodeImages images)
    {
        _vitals = new NodeVitals(Self, cluster, _options.NodeTtl, _directory.GuardPath, Events, _time, _loggers);
        NodeLease lease = _vitals.Lease;
        var vms = new VmLoop(Self, cluster, images, lease, Events, _directory.VmsPath, _time);
        _catalogue = new NodeCatalogue(Self, cluster, images, _blobs!, _vitals.Liveness, _directory.DocumentsPath, Events, _time);
        var reports = new RaftReports(Self, cluster.Directory, _peers, _raft);
        var status = new StatusReport(Self, cluster, _peers, _p2p, _vitals, reports, () => ClusterId, Engine,
            () => Note(file => file with { Engine = StoreEngine.Etcd }), () => _catalogue.State);
        _departure = new Departure(Self, cluster, _raft, reports, _peers, Engine, Forget, Lifetime, Events, async leaving =>
        {
            await vms.EndAllAsync(leaving).ConfigureAwait(false);
            await _upkeep!.EndTurnAsync(leaving).ConfigureAwait(false);
            await lease.RevokeAsync(leaving).ConfigureAwait(false);
        });
        _upkeep = new ImageUpkeep(Self, cluster, images, _vitals.Liveness, () => _departure!.IsLeaving, Events, _time);
        var entrance = new Entrance(cluster, _raft, reports, _departure, Engine);
        RpcServiceTable? table = null;
        List<RpcService> services =
        [
            new ClusterService(Self, cluster, status, entrance, _departure, Engine, _time).Bind(),
            new VmService(Self, cluster, images, status, _peers, () => vms.Host).Bind(),
            new ImageService(Self, images, cluster, _catalogue).Bind(),
            _blobs!.Bind(),
            new HealthService(() => table!.Names).Bind(),
            new LocalService(Lifetime).Bind(),
        ];
        if (_raft is not null)
        {
            services.AddRange(_raft.Services(cluster.Directory));
            _raft.StartDuties(cluster.Members);
            _ending = Task.Run(() => EndWhenRemovedAsync(_raft, _departure));
        }

        // Others get what this node's own engine says and never what a third node says: no call goes round in circles.
        services.Add(new StoreService(store.Own ?? store.Store, _time).Bind());
        table = new RpcServiceTable(services);
        var authorizer = new NodeAuthorizer(cluster.Directory, isStoreServed: store.Own is not null);
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

        bool isAlone = !cluster.Directory.Current.Any(pair => pair.Key != Self.Id && pair.Value.Node.Role == NodeRole.Server);
        if (_raft is not null && isAlone)
            await _raft.WaitUntilServingAsync(ServingLimit, cancellationToken).ConfigureAwait(false);
        if (_store!.IsOnlyHere || (_raft is not null && isAlone))
        {
            string newClusterId = _memory.Current?.ClusterId ?? Members.NewClusterId(OperatingSystemRandomSource.Instance);
            Admission admission = await cluster.Members.BootstrapAsync(
                Self.ToInfo(), Self.ToAddress(), newClusterId, cancellationToken).ConfigureAwait(false);
            ClusterId = admission.ClusterId;
        }

        NodeFile file = _memory.Current ?? new NodeFile { Name = Self.Name, ClusterId = ClusterId, IsServer = Self.IsServer };
        _memory.Set(file with { EndpointId = key.PublicKey.ToString(), GrpcPort = _grpcAddress!.Port });
        RememberPort();
        Self.RecordChanged += RememberPort;
        var runner = new IrohServiceRunner(_dispatcher!, _loggers.CreateLogger<IrohServiceRunner>());
        _p2p.Serve(key, cluster.Directory, runner, _peers, _catalogue!);
        _probe = new GrpcProbe(_peers, _time);
        _vitals!.Start(key.PublicKey, () => _vms!.HasMovable, () => _raft?.View.IsLeader ?? Self.IsServer);
        if (!_store.IsOnlyHere)
            _noticing = Task.Run(NoticeRemovalAsync, CancellationToken.None);
        _publisher = new RecordPublisher(Self, cluster.Members, Events, _time, _loggers.CreateLogger<RecordPublisher>());
    }

    private async Task NoticeRemovalAsync()
    {
        if (await RemovalNotice.WaitAsync(_cluster!.Directory, _peers, _time, _stopping.Token).ConfigureAwait(false))
            _departure!.OnRemoved();
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

    private async Task UseLateKeyAsync(SecretKey key, CancellationToken cancellationToken)
    {
        // What was reached before a failure stays.
        if (_certificate is null)
            await BindAsync(key, cancellationToken).ConfigureAwait(false);
        await ServeOthersAsync(key, cancellationToken).ConfigureAwait(false);
    }

    private string Engine() => _memory.Current?.Engine ?? StoreEngine.Sqlite;

    private void Forget()
    {
        _keeper!.Forget();
        _memory.Clear();
    }

    private void PutEtcdAway()
    {
        try
        {
            _directory.PutEtcdAway();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Events.Publish(new WarningEvent($"What etcd kept for the cluster that this node has left could not be put aside: {e.Message}"));
        }
    }

    private async Task EndWhenRemovedAsync(RaftHost raft, Departure departure)
    {
        await raft.Removed.WaitAsync(_stopping.Token).ConfigureAwait(false);
        await departure.OnRaftRemovedAsync().ConfigureAwait(false);
    }

    private void OnMembers(MembersUpdate update)
    {
        _peers.OnMembers(update, Self.Id);
        _store!.OnMembers(update);
        _raft?.SetMembers(_cluster!.Directory.Current);
        // The first server of all is no member before it has written its record.
        if (update.Changes.Any(change => change.Id == Self.Id && change.Kind == MemberChangeKind.Removed) && !(update.IsSnapshot && Self.IsServer))
            _departure!.OnRemoved();
        foreach (MemberChange change in update.Changes.Where(change => change.Id != Self.Id && !update.IsSnapshot))
        {
            if (change.Kind == MemberChangeKind.Added)
                Events.Publish(new MemberJoinedEvent(change.Member.Node.Name, change.Id.ToString()));
            else if (change.Kind == MemberChangeKind.Removed)
                Events.Publish(new MemberLeftEvent(change.Member.Node.Name, change.Id.ToString()));
        }

        _keeper!.OnChanged();
    }

    [LoggerMessage(EventId = 6001, EventName = "KeyUnusable", Level = LogLevel.Error, Message = "The node serves its local API only, and tries again: {Problem}")]
    private partial void LogNoKey(string problem);
}
