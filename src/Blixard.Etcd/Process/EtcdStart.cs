using Iroh.Base;

namespace Blixard.Etcd.Process;

/// <summary>As what a member starts.</summary>
public abstract record EtcdStart
{
    private EtcdStart()
    {
    }

    /// <summary>As the member that it is, with the data that are there. Without data the start is refused: etcd would found a cluster.</summary>
    public sealed record Continue : EtcdStart;

    /// <summary>
    /// As the first and only voter of a cluster. If there are data already, it goes on with those, so that a node that was killed while it
    /// founded its cluster may ask again.
    /// </summary>
    /// <param name="Token">What makes this cluster's ids differ from those of others: the cluster's UUID.</param>
    public sealed record NewCluster(string Token) : EtcdStart;

    /// <summary>
    /// As a new member that the cluster has just admitted. Data of a former membership are deleted first: a member is admitted under a new id,
    /// and the log of another id must not be brought along.
    /// </summary>
    /// <param name="Token">The cluster's UUID.</param>
    /// <param name="Members">All members of the cluster, this one among them, as the admission said.</param>
    public sealed record Join(string Token, IReadOnlyList<EndpointId> Members) : EtcdStart;
}
