using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Blixard.Cli.Local;
using Blixard.Node.Maintenance;

namespace Blixard.Cli.Store;

/// <summary><c>store restore</c>: lets a cluster begin again from a backup, with this stopped node as its only server.</summary>
internal static class StoreRestoreCommand
{
    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "The backup." };
        var engine = new Option<string?>("--engine") { Description = "What keeps the state from now on. Default: the backup's engine.", HelpName = "sqlite|etcd" };
        engine.AcceptOnlyFromAmong("sqlite", "etcd");
        var name = new Option<string?>("--name") { Description = "The node's name. Default: the one it had, or this machine's.", HelpName = "NAME" };
        var force = new Option<bool>("--force") { Description = "Put it in the place of a store that is there; that one is kept beside it." };
        var command = new Command("restore", "Let a cluster begin again from a backup, with this stopped node as its only server.")
        {
            file, engine, name, force, StoreOptions.Etcd, LocalNode.DataDirectoryOption,
        };
        CommandRunner.Handle(command, async (result, output, cancellationToken) =>
        {
            var options = new StoreRestoreOptions
            {
                BackupPath = Path.GetFullPath(result.GetRequiredValue(file)),
                DataDirectory = Path.GetFullPath(result.GetRequiredValue(LocalNode.DataDirectoryOption)),
                Engine = result.GetValue(engine),
                Name = result.GetValue(name),
                Force = result.GetValue(force),
                EtcdProgram = result.GetRequiredValue(StoreOptions.Etcd),
            };
            StoreRestored restored = await StoreRestore.RunAsync(
                options, TimeProvider.System, new StoreProgress("changes written", output, Console.Error), cancellationToken).ConfigureAwait(false);
            output.Write(ToJson(restored, options), ToText(restored, options));
            return ExitCode.Done;
        });
        return command;
    }

    private static JsonObject ToJson(StoreRestored restored, StoreRestoreOptions options) => new()
    {
        ["name"] = restored.Name,
        ["clusterId"] = restored.Header.ClusterId,
        ["engine"] = restored.Engine,
        ["dataDirectory"] = options.DataDirectory,
        ["backupRevision"] = restored.Header.Revision,
        ["backupTime"] = restored.Header.Time.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
        ["revision"] = restored.Revision,
        ["entries"] = restored.Entries,
        ["removedServers"] = new JsonArray([.. restored.RemovedServers.Select(server => (JsonNode)server)]),
        ["setAside"] = restored.SetAside,
    };

    private static string ToText(StoreRestored restored, StoreRestoreOptions options)
    {
        string time = restored.Header.Time.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);
        List<string> lines =
        [
            $"The cluster {restored.Header.ClusterId} as of {time} (revision {restored.Header.Revision}, {restored.Entries} keys) is in {options.DataDirectory}, kept by {restored.Engine}.",
        ];
        if (restored.SetAside is { } aside)
            lines.Add($"The store that was there is kept in {aside}.");
        lines.Add($"Start it with:  blixard up --data-dir {options.DataDirectory}");
        if (restored.RemovedServers.Count > 0)
        {
            lines.Add(
                $"{string.Join(", ", restored.RemovedServers)} held the old state and are no members any more: do not start them again with their "
                + "old data directories; let them join anew with 'blixard join TICKET --role server'.");
        }

        return string.Join('\n', lines);
    }
}
