using Blixard.Node.Storage;

namespace Blixard.Node.Startup;

/// <summary>What a start amounts to, given what the data directory remembers.</summary>
/// <param name="Name">The node's name.</param>
/// <param name="IsServer">Whether it holds the store, or a copy of it.</param>
/// <param name="Engine">The cluster's engine; "" while a node that joins does not know it.</param>
/// <param name="Join">How to join; null to go on, or to begin a cluster.</param>
internal sealed record StartPlan(string Name, bool IsServer, string Engine, NodeStart.Join? Join)
{
    /// <summary>Decides.</summary>
    /// <exception cref="NodeStartException">The data directory belongs to another cluster, or to a node of another name, role or engine.</exception>
    public static StartPlan Make(NodeOptions options, NodeStart start, NodeFile? file, string directory)
    {
        var join = start as NodeStart.Join;
        var up = start as NodeStart.Up;
        if (up?.Engine is { } unknown && !StoreEngine.IsKnown(unknown))
            throw new NodeStartException(NodeStartFailure.Usage, $"There is no engine '{unknown}': a cluster's state is kept by sqlite or by etcd.");
        if (join is { Replace: not null, AsServer: false })
            throw new NodeStartException(NodeStartFailure.Usage, "Only servers replace servers: add --role server.");
        if (file is null)
        {
            return new StartPlan(
                options.Name ?? NodeDefaults.Name(), join?.AsServer ?? true, join is null ? up?.Engine ?? StoreEngine.Sqlite : "", join);
        }

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

        if (join is not null && join.AsServer != file.IsServer)
        {
            throw new NodeStartException(
                NodeStartFailure.Usage,
                $"This node is a {(file.IsServer ? "server" : "worker")} of its cluster until it leaves; it cannot join as {(join.AsServer ? "server" : "worker")}.");
        }

        if (up?.Engine is { } engine && engine != file.Engine)
        {
            throw new NodeStartException(
                NodeStartFailure.Usage,
                $"The cluster of this node keeps its state in {file.Engine}. 'blixard store migrate --to {engine}' takes it to another engine, where that is possible.");
        }

        return new StartPlan(file.Name, file.IsServer, file.Engine, null);
    }
}
