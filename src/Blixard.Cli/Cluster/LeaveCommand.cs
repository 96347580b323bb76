using System.CommandLine;
using System.Text.Json.Nodes;
using Blixard.Cli.Local;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Cli.Cluster;

/// <summary><c>leave</c>: takes this node, or another one that is gone for good, out of its cluster.</summary>
internal static class LeaveCommand
{
    public static Command Create()
    {
        var force = new Option<bool>("--force") { Description = "Although VMs are placed on the node." };
        var other = new Option<string?>("--node") { Description = "Another member, which is dead and does not come back. Default: this node.", HelpName = "NAME" };
        var command = new Command("leave", "Take this node out of its cluster and end it, or take out a dead one.") { force, other };
        LocalNode.Handle(command, async (result, node, output, cancellationToken) =>
        {
            StatusResponse before = await node.CallAsync(ClusterMethods.Status, new StatusRequest(), null, cancellationToken).ConfigureAwait(false);
            await node.CallAsync(
                ClusterMethods.Leave, new LeaveRequest { Force = result.GetValue(force), Name = result.GetValue(other) ?? "" }, null, cancellationToken)
                .ConfigureAwait(false);
            string name = result.GetValue(other) ?? before.Self;
            output.Write(
                new JsonObject { ["left"] = before.ClusterId, ["name"] = name },
                $"{name} left the cluster {before.ClusterId}");
            return ExitCode.Done;
        });
        return command;
    }
}
