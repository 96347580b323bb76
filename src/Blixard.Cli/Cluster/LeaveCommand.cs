using System.CommandLine;
using System.Text.Json.Nodes;
using Blixard.Cli.Local;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Cli.Cluster;

/// <summary><c>leave</c>: takes this node out of its cluster.</summary>
internal static class LeaveCommand
{
    public static Command Create()
    {
        var force = new Option<bool>("--force") { Description = "Although VMs are placed on the node." };
        var command = new Command("leave", "Take this node out of its cluster and end it.") { force };
        LocalNode.Handle(command, async (result, node, output, cancellationToken) =>
        {
            StatusResponse before = await node.CallAsync(ClusterMethods.Status, new StatusRequest(), null, cancellationToken).ConfigureAwait(false);
            await node.CallAsync(
                ClusterMethods.Leave, new LeaveRequest { Force = result.GetValue(force) }, null, cancellationToken).ConfigureAwait(false);
            output.Write(
                new JsonObject { ["left"] = before.ClusterId, ["name"] = before.Self },
                $"{before.Self} left the cluster {before.ClusterId}");
            return ExitCode.Done;
        });
        return command;
    }
}
