using System.Globalization;
using Blixard.Cluster.Store;
using Blixard.Cluster.Store.Backup;
using Blixard.Etcd.Database;
using Blixard.Etcd.Process;
using Blixard.Node.Storage;
using Blixard.Rpc.Sockets;

namespace Blixard.Node.Maintenance;

/// <summary>What work on a stopped node's store has in common.</summary>
internal static class MaintenanceDirectory
{
    /// <summary>Runs it, and turns what it runs into into one sort of exception.</summary>
    /// <exception cref="StoreMaintenanceException">It was not done.</exception>
    public static async Task<T> RunAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or StoreUnavailableException or StoreCompactedException
            or EtcdServerException or EtcdRestoreException or NodeStartException)
        {
            throw new StoreMaintenanceException(StoreMaintenanceFailure.Failed, e.Message, e);
        }
    }

    /// <summary>Ends an etcd that a killed node may have left: it would go on writing to the files that are set aside.</summary>
    public static async Task EndEtcdAsync(DataDirectory directory, TimeProvider time, CancellationToken cancellationToken)
    {
        if (!Directory.Exists(directory.EtcdPath))
            return;
        using SocketDirectory etcd = SocketDirectory.Open(directory.EtcdPath);
        await LeftOverEtcd.EndAsync(etcd.FullPath, time, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A name for the directory that takes the old store: not there yet, and says when.</summary>
    public static string AsideName(string directory, TimeProvider time)
    {
        string name = "store.old-" + time.GetUtcNow().ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        string free = name;
        for (int i = 2; Path.Exists(Path.Combine(directory, free)); i++)
            free = string.Create(CultureInfo.InvariantCulture, $"{name}-{i}");
        return free;
    }

    /// <summary>Names a backup file in what is wrong with it.</summary>
    public static StoreMaintenanceException Explain(string path, StoreBackupException exception) =>
        new(StoreMaintenanceFailure.Failed, $"{path} {exception.Message}.", exception);
}
