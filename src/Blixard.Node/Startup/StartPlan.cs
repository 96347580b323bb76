using Blixard.Node.Storage;

namespace Blixard.Node.Startup;

/// <summary>What a start amounts to, given what the data directory remembers.</summary>
/// <param name="Name">The node's name.</param>
/// <param name="IsServer">Whether it holds the store.</param>
/// <param name="Ticket">To join with; null to go on, or to begin a cluster.</param>
internal sealed record StartPlan(string Name, bool IsServer, Cluster.Tokens.JoinTicket? Ticket)
{
    /// <summary>Decides.</summary>
    /// <exception cref="NodeStartException">The data directory belongs to another cluster or to a node of another name.</exception>
    public static StartPlan Make(NodeOptions options, NodeStart start, NodeFile? file, string directory)
    {
        var join = start as NodeStart.Join;
        if (file is null)
            return new StartPlan(options.Name ?? NodeDefaults.Name(), join is null, join?.Ticket);
        if (join is not null && join.Ticket.ClusterId != file.ClusterId)
        {
            throw new NodeStartException(
                NodeStartFailure.Refused,
                $"{directory} belongs to the node {file.Name} of the cluster {file.ClusterId}; the ticket is for {join.Ticket.ClusterId}. Let it leave first, or choose another data directory.");
        }

        if (options.Name is { } name && name != file.Name)
        {
            throw new NodeStartException(
                NodeStartFailure.Usage, $"This node is called {file.Name} in its cluster and keeps that name until it leaves; '{name}' was asked for.");
        }

        return new StartPlan(file.Name, file.IsServer, null);
    }
}
