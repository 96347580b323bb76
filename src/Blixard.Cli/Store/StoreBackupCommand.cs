using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Blixard.Cli.Local;
using Blixard.Cli.Output;
using Blixard.Node.Maintenance;

namespace Blixard.Cli.Store;

/// <summary><c>store backup</c>: copies the running cluster's state into a file.</summary>
internal static class StoreBackupCommand
{
    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "Where to write the backup." };
        var force = new Option<bool>("--force") { Description = "Replace a file that is there." };
        var stale = new Option<bool>("--stale") { Description = "Take what the nearest copy holds; works also without a quorum." };
        var command = new Command("backup", "Copy the running cluster's state into a file, as of one revision.") { file, force, stale };
        LocalNode.Handle(command, async (result, node, output, cancellationToken) =>
        {
            StoreBackedUp backup = await StoreBackup.RunAsync(
                node, result.GetRequiredValue(file), result.GetValue(force), result.GetValue(stale), TimeProvider.System,
                new StoreProgress("keys written", output, Console.Error), cancellationToken).ConfigureAwait(false);
            output.Write(
                new JsonObject
                {
                    ["file"] = backup.Path,
                    ["clusterId"] = backup.Header.ClusterId,
                    ["engine"] = backup.Header.Engine,
                    ["revision"] = backup.Header.Revision,
                    ["time"] = backup.Header.Time.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
                    ["entries"] = backup.Entries,
                    ["bytes"] = backup.Bytes,
                },
                $"{backup.Path}: the cluster {backup.Header.ClusterId} at revision {backup.Header.Revision}, {backup.Entries} keys, {HumanText.Bytes((ulong)backup.Bytes)}\n"
                    + "It holds everything the cluster knows, secrets too: keep it as safe as a node's key.");
            return ExitCode.Done;
        });
        return command;
    }
}
