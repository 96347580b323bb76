using Blixard.Cluster.Store;
using Blixard.Cluster.Store.Backup;
using Blixard.Node.Storage;
using Iroh.Base;
using Iroh.Cryptography;

namespace Blixard.Node.Maintenance;

/// <summary>A store that was migrated.</summary>
/// <param name="Name">The node's name.</param>
/// <param name="ClusterId">The cluster.</param>
/// <param name="Revision">The revision at which etcd goes on.</param>
/// <param name="OldestRevision">The first revision that can still be watched.</param>
/// <param name="Entries">The number of keys.</param>
/// <param name="SetAside">Where the SQLite store is now, in full.</param>
public sealed record StoreMigrated(string Name, string ClusterId, long Revision, long OldestRevision, long Entries, string SetAside);

/// <summary>
/// Makes the SQLite store of a stopped node the first member of an etcd cluster: the same keys under the same revisions, and the
/// same history, so that whoever watched goes on where it was. Keys with a lease are deleted as if it had ended.
/// </summary>
public static class StoreMigration
{
    /// <summary>Migrates. Killed at any moment it leaves the old store or the new one.</summary>
    /// <param name="dataDirectory">The stopped node's.</param>
    /// <param name="etcdProgram">The etcd that will run; the tool that belongs to it is looked for beside it and in the PATH.</param>
    /// <param name="time">The clock that names the old store.</param>
    /// <param name="progress">Told the changes written so far; null for nobody.</param>
    /// <param name="cancellationToken">Gives it up; the store is as it was.</param>
    /// <exception cref="StoreMaintenanceException">It was not done, and the store is as it was.</exception>
    public static Task<StoreMigrated> ToEtcdAsync(
        string dataDirectory, string etcdProgram, TimeProvider time, IProgress<long>? progress = null, CancellationToken cancellationToken = default) =>
        ToEtcdAsync(dataDirectory, etcdProgram, time, progress, null, cancellationToken);

    internal static Task<StoreMigrated> ToEtcdAsync(
        string dataDirectory, string etcdProgram, TimeProvider time, IProgress<long>? progress, Action<string>? onStep,
        CancellationToken cancellationToken) => MaintenanceDirectory.RunAsync(async () =>
        {
            dataDirectory = Path.GetFullPath(dataDirectory);
            if (!Directory.Exists(dataDirectory))
                throw NoStore($"There is no data directory {dataDirectory}");
            using DataDirectory directory = DataDirectory.Open(dataDirectory);
            (NodeFile file, EndpointId self) = Check(directory);
            using StoreSwitch target = StoreSwitch.Begin(directory, onStep);
            StoreHistory history;
            long revision;
            SqliteStore source = SqliteStore.Open(directory.StorePath, time, OperatingSystemRandomSource.Instance);
            await using (source.ConfigureAwait(false))
            {
                history = await StoreHistory.OpenAsync(source, cancellationToken).ConfigureAwait(false);
                revision = await EtcdMemberSeed.BuildAsync(
                    target, history, self, file.ClusterId, etcdProgram, time, progress, cancellationToken).ConfigureAwait(false);
            }

            onStep?.Invoke("built");
            string aside = MaintenanceDirectory.AsideName(directory.Path, time);
            target.Commit(file with { Engine = StoreEngine.Etcd }, aside);
            return new StoreMigrated(
                file.Name, file.ClusterId, revision, history.OldestRevision, history.Entries.Count(entry => entry.Lease == 0),
                Path.Combine(directory.Path, aside));
        });

    private static (NodeFile File, EndpointId Self) Check(DataDirectory directory)
    {
        NodeFile? file = NodeFile.TryRead(directory.NodeFilePath);
        if (file is { IsServer: false })
            throw NoStore($"The node {file.Name} of {directory.Path} is a worker: the store is on the servers of its cluster");
        if (file is { Engine: StoreEngine.Etcd })
            throw new StoreMaintenanceException(StoreMaintenanceFailure.Refused, $"The node {file.Name} of {directory.Path} keeps its cluster's state in etcd already.");
        if (file is null || !File.Exists(directory.StorePath))
            throw NoStore($"{directory.Path} holds no store");
        if (!EndpointId.TryParse(file.EndpointId, out EndpointId self))
            throw NoStore($"The node {file.Name} of {directory.Path} has not had its key yet; start it once");
        return (file, self);
    }

    private static StoreMaintenanceException NoStore(string what) =>
        new(StoreMaintenanceFailure.Failed, $"{what}. What is migrated is the store of a stopped server; name its directory with --data-dir.");
}
