using Blixard.V1;

namespace Blixard.Testing.Chaos;

/// <summary>What a status says, for the conditions that cases wait for. Pure.</summary>
public static class ClusterView
{
    /// <summary>Whether a node sees all of these members ready, calls them over P2P, and can ask the store.</summary>
    public static bool IsWhole(StatusResponse status, IEnumerable<string> names) =>
        status.StoreReason.Length == 0 && status.Leader.Length > 0
        && names.All(name => Find(status, name) is { State: NodeState.Ready } node && (name == status.Self || Way(status, name) == "p2p"));

    /// <summary>The way that calls to a member take: "p2p" or "grpc"; empty for the node itself and for strangers.</summary>
    public static string Way(StatusResponse status, string name) => Find(status, name)?.Transport ?? "";

    /// <summary>A member by name.</summary>
    public static NodeStatus? Find(StatusResponse status, string name) => status.Nodes.FirstOrDefault(node => node.Member.Node.Name == name);
}
