using System.Text.Json.Nodes;
using Blixard.Cli.Output;
using Iroh;

namespace Blixard.Cli.Net;

/// <summary>Shows the way that a connection's data takes, and every change of it.</summary>
internal static class PathReport
{
    /// <summary>Writes a "path" event for each change; completes, and never fails, when the connection has ended or the token fires.</summary>
    /// <param name="connection">Whose paths.</param>
    /// <param name="last">The path that people know of already; null if none, then the present one is written too.</param>
    /// <param name="output">Where to.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task WatchAsync(IrohConnection connection, IrohPath? last, CommandOutput output, CancellationToken cancellationToken)
    {
        try
        {
            (IrohPathKind, string)? shown = last is null ? null : (last.Kind, last.RemoteText);
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
