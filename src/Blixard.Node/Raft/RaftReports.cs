using Blixard.Cluster.Membership;
using Blixard.Node.Membership;
using Blixard.Node.Peers;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Tunnels;
using Blixard.V1;
using Google.Protobuf.WellKnownTypes;
using Iroh.Base;

namespace Blixard.Node.Raft;

/// <summary>Raft as the whole cluster: what every server says of its own etcd. Thread-safe.</summary>
/// <param name="self">This node.</param>
/// <param name="directory">Says who the servers are.</param>
/// <param name="peers">Calls them.</param>
/// <param name="raft">This node's own part; null if it has none.</param>
internal sealed class RaftReports(NodeSelf self, MemberDirectory directory, PeerTable peers, RaftHost? raft)
{
    // A server answers from memory; one that needs longer cannot be reached, and a status does not wait for it.
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(1);

    /// <summary>Asks every server. One that does not answer has a report that says why.</summary>
    public async Task<IReadOnlyDictionary<EndpointId, RaftReport>> CollectAsync(CancellationToken cancellationToken)
    {
        KeyValuePair<EndpointId, Task<RaftReport>>[] asked =
        [
            .. directory.Current.Where(pair => pair.Value.Node.Role == NodeRole.Server)
                .Select(pair => KeyValuePair.Create(pair.Key, AskAsync(pair.Key, pair.Value.Node.Name, cancellationToken))),
        ];
        await Task.WhenAll(asked.Select(pair => pair.Value)).ConfigureAwait(false);
        return asked.ToDictionary(pair => pair.Key, pair => pair.Value.Result);
    }

    /// <summary>The report of the leader, as most recent term says; null if nobody knows one.</summary>
    public static KeyValuePair<EndpointId, RaftReport>? FindLeader(IReadOnlyDictionary<EndpointId, RaftReport> reports)
    {
        RaftReport? newest = reports.Values.Where(report => report.Leader.Length > 0).MaxBy(report => report.Term);
        if (newest is null || !EndpointId.TryFromBytes(newest.Leader.Span, out EndpointId leader))
            return null;
        return KeyValuePair.Create(leader, reports.GetValueOrDefault(leader) ?? new RaftReport { Term = newest.Term });
    }

    /// <summary>Whether a server's etcd takes part, as these reports say.</summary>
    public static Func<EndpointId, bool> Alive(IReadOnlyDictionary<EndpointId, RaftReport> reports) =>
        id => reports.TryGetValue(id, out RaftReport? report) && report.Role is RaftRole.Leader or RaftRole.Follower or RaftRole.Learner;

    /// <summary>One server's part for a status.</summary>
    /// <param name="id">The server.</param>
    /// <param name="report">What it said.</param>
    /// <param name="leader">What the leader said; null if there is none.</param>
    public RaftStatus ToStatus(EndpointId id, RaftReport report, RaftReport? leader) => new()
    {
        Role = report.Role,
        Healthy = report.Healthy,
        Reason = report.Reason,
        AppliedIndex = report.AppliedIndex,
        Lag = leader is not null && report.AppliedIndex > 0 && leader.AppliedIndex > report.AppliedIndex ? leader.AppliedIndex - report.AppliedIndex : 0,
        DbSize = report.DbSize,
        Tunnel = id == self.Id || raft?.TunnelsTo(id) is not { } tunnels ? null : ToMessage(tunnels),
    };

    /// <summary>The sentence for people when most servers cannot vote: who does not answer; "" if enough do.</summary>
    public string Quorum(IReadOnlyDictionary<EndpointId, RaftReport> reports)
    {
        int needed = (reports.Count / 2) + 1;
        string[] missing =
        [
            .. reports.Where(pair => pair.Value.Role == RaftRole.Unspecified)
                .Select(pair => directory.TryGet(pair.Key, out Member? member) ? member.Node.Name : pair.Key.ToShortString()).Order(StringComparer.Ordinal),
        ];
        int present = reports.Count - missing.Length;
        return present >= needed || missing.Length == 0
            ? ""
            : $"{missing.Length} of {reports.Count} servers {(missing.Length == 1 ? "does" : "do")} not answer ({string.Join(", ", missing)}), so there is no quorum: nothing can be changed until "
                + (missing.Length == 1 ? "it is back." : needed - present == 1 ? "1 of them is back." : $"{needed - present} of them are back.");
    }

    private static RaftTunnel ToMessage(PeerTunnelsStatus tunnels) => new()
    {
        Way = tunnels.OpenP2p + tunnels.OpenGrpc == 0 ? RaftWay.Unspecified : tunnels.OpenGrpc > tunnels.OpenP2p ? RaftWay.Grpc : RaftWay.P2P,
        Since = tunnels.OpenP2p + tunnels.OpenGrpc == 0 ? null : Timestamp.FromDateTimeOffset(tunnels.Since),
        BytesP2P = (ulong)tunnels.BytesP2p,
        BytesGrpc = (ulong)tunnels.BytesGrpc,
        Switches = (ulong)tunnels.Switches,
        LastSwitchReason = tunnels.LastSwitch?.Reason.ToString() ?? "",
    };

    private async Task<RaftReport> AskAsync(EndpointId id, string name, CancellationToken cancellationToken)
    {
        if (id == self.Id)
            return raft?.View.Report ?? new RaftReport { Reason = $"{name} has no part in Raft" };
        try
        {
            return peers.TryGet(id, out Peer? peer)
                ? await peer.Channel.CallAsync(RaftMethods.Report, new RaftReportRequest(), RpcCallOptions.Within(AnswerTimeout), cancellationToken).ConfigureAwait(false)
                : new RaftReport { Reason = $"{name} is not known here yet" };
        }
        catch (RpcException e)
        {
            return new RaftReport { Reason = $"{name} did not answer: {e.Message}" };
        }
    }
}
