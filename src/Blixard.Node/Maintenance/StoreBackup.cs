using Blixard.Cluster.Store.Backup;
using Blixard.Node.Storage;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Node.Maintenance;

/// <summary>A backup that was made.</summary>
/// <param name="Path">The file, in full.</param>
/// <param name="Header">What it says of itself.</param>
/// <param name="Entries">The number of keys in it.</param>
/// <param name="Bytes">The file's length.</param>
public sealed record StoreBackedUp(string Path, StoreBackupHeader Header, long Entries, long Bytes);

/// <summary>Copies the store of a running cluster into a file, as of one revision and in little memory.</summary>
public static class StoreBackup
{
    /// <summary>Makes the backup: complete under its name, or not there. The file has mode 0600: it holds everything.</summary>
    /// <param name="node">The local API of any node of the cluster.</param>
    /// <param name="path">The file.</param>
    /// <param name="overwrite">Whether it may replace one that is there.</param>
    /// <param name="mayBeStale">Whether to take what the nearest copy holds, which needs no quorum.</param>
    /// <param name="time">The clock of the backup's time.</param>
    /// <param name="progress">Told the keys written so far; null for nobody.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="StoreMaintenanceException">The file is there, or cannot be written; there is no cluster yet.</exception>
    /// <exception cref="RpcException">The node or the store cannot answer.</exception>
    public static async Task<StoreBackedUp> RunAsync(
        IRpcCaller node, string path, bool overwrite, bool mayBeStale, TimeProvider time, IProgress<long>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(node);
        path = Path.GetFullPath(path);
        if (Directory.Exists(path))
            throw new StoreMaintenanceException(StoreMaintenanceFailure.Usage, $"{path} is a directory; name a file in it.");
        if (!overwrite && File.Exists(path))
            throw new StoreMaintenanceException(StoreMaintenanceFailure.Refused, $"{path} is there already. Name another file, or replace it with --force.");
        StatusResponse status = await node.CallAsync(ClusterMethods.Status, new StatusRequest(), null, cancellationToken).ConfigureAwait(false);
        if (status.ClusterId.Length == 0)
            throw new StoreMaintenanceException(StoreMaintenanceFailure.Failed, "The node belongs to no cluster yet; there is nothing to back up.");
        try
        {
            return await WriteAsync(node, status, path, overwrite, mayBeStale, time, progress, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreMaintenanceException(StoreMaintenanceFailure.Failed, $"The backup could not be written: {e.Message}", e);
        }
    }

    private static async Task<StoreBackedUp> WriteAsync(
        IRpcCaller node, StatusResponse status, string path, bool overwrite, bool mayBeStale, TimeProvider time, IProgress<long>? progress,
        CancellationToken cancellationToken)
    {
        string unfinished = path + ".new";
        File.Delete(unfinished);
        try
        {
            StoreBackupWriter? writer = null;
            StoreBackupHeader? header = null;
            var file = new FileStream(unfinished, FileOptions());
            await using (file.ConfigureAwait(false))
            {
                IAsyncEnumerable<RangeResponse> pages = node.StreamAsync(
                    StoreMethods.Range, new RangeRequest { MayBeStale = mayBeStale }, null, cancellationToken);
                await foreach (RangeResponse page in pages.ConfigureAwait(false))
                {
                    header ??= new StoreBackupHeader(status.ClusterId, status.Engine, page.Revision, time.GetUtcNow());
                    writer ??= new StoreBackupWriter(file, header);
                    writer.Append(page);
                    progress?.Report(writer.Entries);
                }

                if (writer is null || header is null)
                    throw new IOException("the node ended its answer before it began");
                writer.Complete();
                file.Flush(flushToDisk: true);
            }

            File.Move(unfinished, path, overwrite);
            DurableFiles.FlushDirectory(Path.GetDirectoryName(path)!);
            return new StoreBackedUp(path, header, writer.Entries, writer.Bytes);
        }
        finally
        {
            File.Delete(unfinished);
        }
    }

    private static FileStreamOptions FileOptions()
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 1 << 20 };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        return options;
    }
}
