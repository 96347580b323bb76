using Blixard.Cluster.Links;
using Blixard.Cluster.Placement;
using Blixard.Cluster.Store;
using Blixard.Node.Liveness;
using Blixard.Node.Membership;
using Blixard.Node.P2p;
using Blixard.Node.Peers;
using Blixard.Node.Raft;
using Blixard.Node.Storage;
using Blixard.Rpc.Calls;
using Blixard.V1;
using Google.Protobuf.WellKnownTypes;
using Iroh.Base;

namespace Blixard.Node.Services;

/// <summary>The cluster as this node sees it. Answers also while the store cannot: then with what was known last. Thread-safe.</summary>
internal sealed class StatusReport(
    NodeSelf self, NodeCluster cluster, PeerTable peers, P2pEndpoint p2p, NodeVitals vitals, RaftReports raft, Func<string> clusterId, Func<string> engine, Action onEtcd,
    Func<string> catalogue)
{
    // A status is asked for by people: better an answer without news than none.
    private static readonly TimeSpan StorePatience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan ReplicaPatience = TimeSpan.FromSeconds(1);

    private IReadOnlyList<VmRecord> _vms = [];
    private IReadOnlyList<ImageRecord> _images = [];

    public async Task<StatusResponse> MakeAsync(CancellationToken cancellationToken)
    {
        // A worker may not have heard yet that its server went over to etcd.
        Task<IReadOnlyDictionary<EndpointId, RaftReport>> reporting = engine() == StoreEngine.Etcd || !self.IsServer
            ? raft.CollectAsync(cancellationToken)
            : Task.FromResult<IReadOnlyDictionary<EndpointId, RaftReport>>(new Dictionary<EndpointId, RaftReport>());
        using var hopeless = new CancellationTokenSource();
        Task<string> reading = ReadRecordsAsync(hopeless.Token, cancellationToken);
        IReadOnlyDictionary<EndpointId, RaftReport> reports = await reporting.ConfigureAwait(false);
        string quorum = engine() == StoreEngine.Etcd ? raft.Quorum(reports) : "";
        // Without a quorum and a leader the store cannot answer: nobody has to wait for that.
        if (quorum.Length > 0 && reports.Values.All(report => report.Leader.Length == 0))
            await hopeless.CancelAsync().ConfigureAwait(false);
        string storeReason = await reading.ConfigureAwait(false);
        if (engine() != StoreEngine.Etcd && reports.Values.Any(report => report.Role != RaftRole.Unspecified))
            onEtcd();
        if (storeReason.Length > 0 && quorum.Length > 0)
            storeReason = quorum;
        var response = new StatusResponse
        {
            ClusterId = clusterId(),
            Engine = engine(),
            Self = self.Name,
            StoreReason = storeReason,
            Catalogue = catalogue(),
            Consistency = storeReason.Length == 0 ? "linearizable" : "may be stale",
        };
        Dictionary<EndpointId, Member> members = new(cluster.Directory.Current);
        if (self.Id is not { } own)
            response.Nodes.Add(Self(new Member { Node = new NodeInfo { Name = self.Name, Role = self.IsServer ? NodeRole.Server : NodeRole.Worker } }));
        else if (!members.ContainsKey(own))
            members[own] = new Member { Node = self.ToInfo(), P2PNodeAddr = self.ToAddress() };
        foreach ((EndpointId id, Member member) in members)
            response.Nodes.Add(id == self.Id ? Self(member) : Other(id, member));
        NodeStatus[] ordered = [.. response.Nodes.OrderBy(node => node.Member.Node.Name, StringComparer.Ordinal)];
        response.Nodes.Clear();
        response.Nodes.AddRange(ordered);
        if (engine() == StoreEngine.Etcd)
            AddRaft(response, reports);
        else
            response.Leader = ordered.FirstOrDefault(node => node.Member.Node.Role == NodeRole.Server)?.Member.Node.Name ?? "";
        response.Vms.AddRange(Show(Volatile.Read(ref _vms)));
        response.Images.AddRange(Volatile.Read(ref _images));
        return response;
    }

    /// <summary>Whether calls reach a member, as this node sees it.</summary>
    public NodeState StateOf(EndpointId id)
    {
        if (id == self.Id)
            return NodeState.Ready;
        if (p2p.TryGetLink(id) is { State: LinkState.Ready })
            return NodeState.Ready;
        GrpcState grpc = peers.TryGet(id, out Peer? peer) ? peer.Grpc.Status.State : GrpcState.Unknown;
        return grpc switch
        {
            GrpcState.Reachable => NodeState.Ready,
            GrpcState.Unreachable => NodeState.Unreachable,
            _ => NodeState.Unspecified,
        };
    }

    /// <summary>The members with the room that VMs leave them, and since when they are lost.</summary>
    public IReadOnlyList<FailoverNode> Rooms(IReadOnlyList<VmRecord> vms) =>
        FailoverFacts.Nodes(cluster.Directory.Current, vitals.Liveness.Current, vms, id => StateOf(id) == NodeState.Ready);

    /// <summary>VMs as people should see them: those of lost nodes with what they wait for.</summary>
    public IReadOnlyList<VmRecord> Show(IReadOnlyList<VmRecord> vms) => FailoverFacts.Show(vms, Rooms(vms));

    private async Task<string> ReadRecordsAsync(CancellationToken hopeless, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(hopeless, cancellationToken);
        patience.CancelAfter(StorePatience);
        try
        {
            Volatile.Write(ref _vms, await cluster.Vms.ListAsync(patience.Token).ConfigureAwait(false));
            Volatile.Write(ref _images, await cluster.Images.ListAsync(patience.Token).ConfigureAwait(false));
            return "";
        }
        catch (StoreUnavailableException e)
        {
            await TryReadReplicaAsync(cancellationToken).ConfigureAwait(false);
            return e.Message;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            await TryReadReplicaAsync(cancellationToken).ConfigureAwait(false);
            return "The cluster store did not answer in time.";
        }
    }

    private async Task TryReadReplicaAsync(CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(ReplicaPatience);
        try
        {
            Volatile.Write(ref _vms, await cluster.Vms.ListReplicaAsync(patience.Token).ConfigureAwait(false));
            Volatile.Write(ref _images, await cluster.Images.ListReplicaAsync(patience.Token).ConfigureAwait(false));
        }
        catch (Exception e) when (e is StoreUnavailableException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // What was known last stays.
        }
    }

    private void AddRaft(StatusResponse response, IReadOnlyDictionary<EndpointId, RaftReport> reports)
    {
        KeyValuePair<EndpointId, RaftReport>? leader = RaftReports.FindLeader(reports);
        foreach (NodeStatus node in response.Nodes)
        {
            if (!EndpointId.TryFromBytes(node.Member.Node.EndpointId.Span, out EndpointId id))
                continue;
            if (reports.TryGetValue(id, out RaftReport? report))
                node.Raft = raft.ToStatus(id, report, leader?.Value);
            if (id == leader?.Key)
                response.Leader = node.Member.Node.Name;
        }

        response.RaftTerm = leader?.Value.Term ?? 0;
        response.RaftAppliedIndex = leader?.Value.AppliedIndex ?? 0;
    }

    private NodeStatus Self(Member member) => new()
    {
        Member = member,
        P2P = self.P2p,
        Grpc = new GrpcStatus
        {
            Address = self.GrpcAddress,
            State = self.GrpcAddress.Length > 0 ? GrpcState.Reachable : GrpcState.Unreachable,
            Reason = self.GrpcAddress.Length > 0 ? "" : self.P2p.Reason,
        },
        State = NodeState.Ready,
        Reason = vitals.Lease.Hold ?? p2p.RelayTrouble,
    };

    private NodeStatus Other(EndpointId id, Member member)
    {
        Peer? peer = peers.TryGet(id, out Peer? known) ? known : null;
        DateTimeOffset? lostSince = vitals.Liveness.Current.LostSince(id);
        return new NodeStatus
        {
            Member = member,
            P2P = LinkStatusOf(id, member),
            Grpc = peer?.Grpc.Status ?? new GrpcStatus { Address = member.Node.GrpcAddress, State = GrpcState.Unknown },
            State = lostSince is null ? StateOf(id) : NodeState.Lost,
            LostSince = lostSince is { } since ? Timestamp.FromDateTimeOffset(since) : null,
            Reason = lostSince is { } moment ? $"lost since {FailoverPlanner.Describe(moment)}: its lease ended" : "",
            Transport = peer is null ? "" : peer.Channel.Current == RpcTransport.P2p ? "p2p" : "grpc",
            CallsP2P = (ulong)(peer?.Channel.CallsP2p ?? 0),
            CallsGrpc = (ulong)(peer?.Channel.CallsGrpc ?? 0),
        };
    }

    private P2pStatus LinkStatusOf(EndpointId id, Member member)
    {
        if (p2p.TryGetLink(id) is not { } link)
            return new P2pStatus { State = self.P2p.State == P2pState.Off ? P2pState.Off : P2pState.Degraded, Reason = self.P2p.Reason };
        if (member.P2PNodeAddr is null && link.State != LinkState.Ready)
            return new P2pStatus { State = P2pState.Off, Reason = $"{member.Node.Name} has no P2P at the moment" };
        return new P2pStatus
        {
            State = link.State switch
            {
                LinkState.Ready => P2pState.Ready,
                LinkState.Dialling when link.FailedDials == 0 => P2pState.Starting,
                _ => P2pState.Degraded,
            },
            Path = link.Path,
            Remote = link.Remote,
            RttMs = link.RoundTripTime?.TotalMilliseconds ?? 0,
            Reason = link.Reason,
        };
    }
}
