using Blixard.Cluster.Tokens;

namespace Blixard.Node;

/// <summary>How a node begins. A node whose data directory belongs to a cluster goes on in it in either case.</summary>
public abstract record NodeStart
{
    private NodeStart()
    {
    }

    /// <summary>Goes on in the cluster of the data directory, or begins a new cluster as its first server.</summary>
    /// <param name="Engine">What keeps the state of a new cluster: "sqlite" or "etcd". Null, the default: SQLite for a new cluster, else
    /// what the cluster has; a cluster that has another engine than the one that is named is refused.</param>
    public sealed record Up(string? Engine = null) : NodeStart;

    /// <summary>Joins a cluster, or goes on in it if the data directory belongs to it already.</summary>
    /// <param name="Ticket">From <c>token create</c> on a member.</param>
    /// <param name="AsServer">Whether the node holds a copy of the cluster's state and votes; else it is a worker.</param>
    /// <param name="Replace">The name of a dead server whose place the node takes; needs <paramref name="AsServer"/>.</param>
    public sealed record Join(JoinTicket Ticket, bool AsServer = false, string? Replace = null) : NodeStart;
}
