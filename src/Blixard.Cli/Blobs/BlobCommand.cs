using System.CommandLine;

namespace Blixard.Cli.Blobs;

/// <summary>The commands for files by their content, without a cluster.</summary>
internal static class BlobCommand
{
    public static Command Create() => new("blob", "Give and get files by the hash of their content, without a cluster.")
    {
        BlobShareCommand.Create(),
        BlobGetCommand.Create(),
        BlobCheckCommand.Create(),
    };
}
