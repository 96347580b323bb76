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
            LeaveResponse response = await node.CallAsync(
                ClusterMethods.Leave, new LeaveRequest { Force = result.GetValue(force), Name = result.GetValue(other) ?? "" }, null, cancellationToken)
                .ConfigureAwait(false);
            string name = result.GetValue(other) ?? before.Self;
            output.Write(
                new JsonObject { ["left"] = before.ClusterId, ["name"] = name, ["catalogueShared"] = response.CatalogueShared },
                $"{name} left the cluster {before.ClusterId}" + (response.CatalogueShared ? SharedNote(name) : ""));
            return ExitCode.Done;
        });
        return command;
    }

    private static string SharedNote(string name) =>
        $"\n\nThe catalogue of images is shared with others, and {name} can still write to it. Unless you trust it, run 'blixard image share --revoke' on a node "
        + "that stays, and then 'blixard image share' for new tickets: those that were given out are not good any more.";
}
