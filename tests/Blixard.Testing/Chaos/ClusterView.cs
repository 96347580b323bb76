using Blixard.V1;

namespace Blixard.Testing.Chaos;

/// <summary>What a status says, for the conditions that cases wait for. Pure.</summary>
public static class ClusterView
{
    /// <summary>
    /// Whether a node sees the cluster as it should be: the members are these and no others, all ready and called over P2P; the store
    /// answers; each server takes part in Raft, and its traffic goes over P2P.
    /// </summary>
    public static bool IsWhole(StatusResponse status, IReadOnlyCollection<string> names) =>
        status.StoreReason.Length == 0 && status.Leader.Length > 0 && status.Nodes.Count == names.Count
        && names.All(name => Find(status, name) is { State: NodeState.Ready } node
            && (name == status.Self || node.Transport == "p2p") && TakesPart(status, node) && (node.Raft?.Tunnel is null || RaftWayTo(status, name) == RaftWay.P2P));

    /// <summary>The way that Raft traffic to a server takes; unspecified for the node itself and for those without any.</summary>
    public static RaftWay RaftWayTo(StatusResponse status, string name) => Find(status, name)?.Raft?.Tunnel?.Way ?? RaftWay.Unspecified;

    /// <summary>How often the way of Raft traffic to a server changed.</summary>
    public static ulong RaftSwitchesTo(StatusResponse status, string name) => Find(status, name)?.Raft?.Tunnel?.Switches ?? 0;

    /// <summary>A member by name.</summary>
    public static NodeStatus? Find(StatusResponse status, string name) => status.Nodes.FirstOrDefault(node => node.Member.Node.Name == name);

    /// <summary>A VM by name.</summary>
    public static VmRecord? FindVm(StatusResponse status, string name) => status.Vms.FirstOrDefault(vm => vm.Spec.Name == name);

    private static bool TakesPart(StatusResponse status, NodeStatus node) =>
        status.Engine != "etcd" || node.Member.Node.Role != NodeRole.Server
        || node.Raft is { Healthy: true, Role: RaftRole.Leader or RaftRole.Follower };
}
