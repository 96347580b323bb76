using System.CommandLine;
using System.Text.Json.Nodes;
using Blixard.Cli.Local;
using Blixard.Node.Maintenance;

namespace Blixard.Cli.Store;

/// <summary><c>store migrate</c>: takes a stopped server's state from SQLite to etcd.</summary>
internal static class StoreMigrateCommand
{
    public static Command Create()
    {
        var to = new Option<string>("--to") { Description = "The engine to go to.", Required = true, HelpName = "etcd" };
        to.AcceptOnlyFromAmong("etcd");
        var command = new Command("migrate", "Make this stopped node's SQLite store the first member of an etcd cluster.")
        {
            to, StoreOptions.Etcd, LocalNode.DataDirectoryOption,
        };
        CommandRunner.Handle(command, async (result, output, cancellationToken) =>
        {
            string directory = Path.GetFullPath(result.GetRequiredValue(LocalNode.DataDirectoryOption));
            StoreMigrated migrated = await StoreMigration.ToEtcdAsync(
                directory, result.GetRequiredValue(StoreOptions.Etcd), TimeProvider.System,
                new StoreProgress("changes written", output, Console.Error), cancellationToken).ConfigureAwait(false);
            output.Write(
                new JsonObject
                {
                    ["name"] = migrated.Name,
                    ["clusterId"] = migrated.ClusterId,
                    ["engine"] = "etcd",
                    ["dataDirectory"] = directory,
                    ["revision"] = migrated.Revision,
                    ["oldestRevision"] = migrated.OldestRevision,
                    ["entries"] = migrated.Entries,
                    ["setAside"] = migrated.SetAside,
                },
                $"""
                {migrated.Name} keeps the state of the cluster {migrated.ClusterId} in etcd now: {migrated.Entries} keys at revision {migrated.Revision}; watches go on from revision {migrated.OldestRevision}.
                The SQLite store is kept in {migrated.SetAside}.
                Start it with:  blixard up --data-dir {directory}
                Then other machines can join with 'blixard join TICKET --role server'.
                """);
            return ExitCode.Done;
        });
        return command;
    }
}
