using System.CommandLine;
using Blixard.Cli.Local;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Cli.Cluster;

/// <summary><c>status</c>: the cluster as this node sees it.</summary>
internal static class StatusCommand
{
    public static Command Create()
    {
        var command = new Command("status", "Show the cluster: nodes, links, VMs, images.");
        LocalNode.Handle(command, async (_, node, output, cancellationToken) =>
        {
            StatusResponse status = await node.CallAsync(ClusterMethods.Status, new StatusRequest(), null, cancellationToken).ConfigureAwait(false);
            output.Write(StatusJson.Create(status), StatusText.Render(status));
            return ExitCode.Done;
        });
        return command;
    }
}
