using System.Text.Json.Nodes;
using Blixard.Cli.Output;
using Iroh;

namespace Blixard.Cli.Net;

/// <summary>Shows the way that a connection's data takes, and every change of it.</summary>
internal static class PathReport
{
    /// <summary>Writes a "path" event now and for each change; completes, and never fails, when the connection has ended or the token fires.</summary>
    public static async Task WatchAsync(IrohConnection connection, CommandOutput output, CancellationToken cancellationToken)
    {
        try
        {
            (IrohPathKind, string)? shown = null;
            await foreach (IReadOnlyList<IrohPath> paths in connection.WatchPathsAsync(cancellationToken).ConfigureAwait(false))
            {
                if (paths.FirstOrDefault(path => path.IsSelected) is not { } path || shown == (path.Kind, path.RemoteText))
                    continue;
                shown = (path.Kind, path.RemoteText);
                output.Write(
                    new JsonObject { ["event"] = "path", ["remoteId"] = connection.RemoteId.ToString(), ["path"] = PathJson.Create(path) },
                    $"path         {connection.RemoteId.ToShortString()} {PathJson.ToText(path)}");
            }
        }
        catch (OperationCanceledException)
        {
        }
    }
}
