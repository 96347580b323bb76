using System.CommandLine;

namespace Blixard.Cli.Store;

/// <summary><c>store</c>: backs up, restores and migrates the cluster's state.</summary>
internal static class StoreCommand
{
    public static Command Create() => new("store", "Back up, restore and migrate the cluster's state.")
    {
        StoreBackupCommand.Create(), StoreRestoreCommand.Create(), StoreMigrateCommand.Create(),
    };
}
