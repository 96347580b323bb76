using Blixard.Cluster.Tokens;

namespace Blixard.Node;

/// <summary>How a node begins. A node whose data directory belongs to a cluster goes on in it in either case.</summary>
public abstract record NodeStart
{
    private NodeStart()
    {
    }

    /// <summary>Goes on in the cluster of the data directory, or begins a new cluster as its first server.</summary>
    public sealed record Up : NodeStart;

    /// <summary>Joins a cluster as a worker, or goes on in it if the data directory belongs to it already.</summary>
    /// <param name="Ticket">From <c>token create</c> on a member.</param>
    public sealed record Join(JoinTicket Ticket) : NodeStart;
}
