using Blixard.Cluster.Membership;
using Blixard.Cluster.Store;
using Blixard.Cluster.Store.Backup;
using Blixard.Node.Configuration;
using Blixard.Node.Startup;
using Blixard.Node.Storage;
using Iroh.Base;

namespace Blixard.Node.Maintenance;

/// <summary>What to restore, and where.</summary>
public sealed record StoreRestoreOptions
{
    /// <summary>The backup.</summary>
    public required string BackupPath { get; init; }

    /// <summary>The data directory of the stopped node that becomes the only server; it is made if it is missing.</summary>
    public required string DataDirectory { get; init; }

    /// <summary><c>sqlite</c> or <c>etcd</c>; null, the default: that of the backup.</summary>
    public string? Engine { get; init; }

    /// <summary>The node's name, as in <see cref="NodeOptions.Name"/>; null, the default: the one it had, or else the machine's.</summary>
    public string? Name { get; init; }

    /// <summary>Whether a store that is there, or a node of another cluster, may be replaced. The old store is kept aside in either case.</summary>
    public bool Force { get; init; }

    /// <summary>The etcd that will run; the tool that belongs to it is looked for beside it and in the PATH.</summary>
    public string EtcdProgram { get; init; } = "etcd";
}

/// <summary>A store that was restored.</summary>
/// <param name="Name">The node's name.</param>
/// <param name="Header">What the backup says of itself.</param>
/// <param name="Engine">The engine of the store now.</param>
/// <param name="Revision">The store's revision now.</param>
/// <param name="Entries">The number of keys.</param>
/// <param name="RemovedServers">The names of the servers that are no members any more.</param>
/// <param name="SetAside">Where the old store is now, in full; null if there was none.</param>
public sealed record StoreRestored(
    string Name, StoreBackupHeader Header, string Engine, long Revision, long Entries, IReadOnlyList<string> RemovedServers, string? SetAside);

/// <summary>
/// Lets a cluster begin again from a backup with one stopped node as its only server. Keys keep their revisions; the store's
/// own revision is moved on by <see cref="RevisionStep"/>.
/// </summary>
public static class StoreRestore
{
    /// <summary>
    /// How far the store's revision is moved on. What the lost cluster did after the backup had revisions above the backup's; if
    /// they were given again, watchers would miss changes, compare-and-swap would take one write for another and a VM's epoch
    /// would not grow. A thousand million are more than any cluster writes between a backup and its restore: a hundred days of a
    /// hundred writes a second.
    /// </summary>
    public const long RevisionStep = 1_000_000_000;

    /// <summary>Restores. Killed at any moment it leaves the old store or the new one.</summary>
    /// <exception cref="StoreMaintenanceException">It was not done, and what was there is as it was.</exception>
    public static Task<StoreRestored> RunAsync(
        StoreRestoreOptions options, TimeProvider time, IProgress<long>? progress = null, CancellationToken cancellationToken = default) =>
        RunAsync(options, time, progress, null, cancellationToken);

    internal static Task<StoreRestored> RunAsync(
        StoreRestoreOptions options, TimeProvider time, IProgress<long>? progress, Action<string>? onStep, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Name is { } name && NodeName.Check(name) is { } wrongName)
            throw new StoreMaintenanceException(StoreMaintenanceFailure.Usage, wrongName);
        if (options.Engine is { } engine && !StoreEngine.IsKnown(engine))
            throw new StoreMaintenanceException(StoreMaintenanceFailure.Usage, $"There is no engine '{engine}': a cluster's state is kept by sqlite or by etcd.");
        return MaintenanceDirectory.RunAsync(async () =>
        {
            // Before anything is made: the file may be none.
            (StoreBackupHeader header, IReadOnlyList<StoreEntry> entries) = Read(options.BackupPath, cancellationToken);
            string engine = options.Engine ?? header.Engine;
            if (!StoreEngine.IsKnown(engine))
                throw new StoreMaintenanceException(StoreMaintenanceFailure.Usage, $"The backup is of a store of the engine '{header.Engine}', which this version does not have. Choose another with --engine.");
            using DataDirectory directory = DataDirectory.Open(options.DataDirectory);
            NodeFile? known = NodeFile.TryRead(directory.NodeFilePath);
            RequireFree(options, header, directory, known);
            EndpointId self = LoadId(directory, known, header);
            RestoredMembers members = RestoredMembers.From(entries, self);
            NodeFile file = Describe(options, header, engine, known, members, self);
            long revision = header.Revision + RevisionStep;
            using StoreSwitch target = StoreSwitch.Begin(directory, onStep);
            if (engine == StoreEngine.Etcd)
            {
                await EtcdMemberSeed.BuildAsync(
                    target, StoreHistory.WithoutChanges(members.Entries, revision), self, header.ClusterId, options.EtcdProgram, time,
                    progress, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                SqliteSeed.Write(target.SqlitePath, members.Entries, revision, cancellationToken);
            }

            onStep?.Invoke("built");
            await MaintenanceDirectory.EndEtcdAsync(directory, time, cancellationToken).ConfigureAwait(false);
            bool hasOld = StoreSwitch.HasStore(directory.Path);
            string aside = MaintenanceDirectory.AsideName(directory.Path, time);
            target.Commit(file, aside);
            return new StoreRestored(
                file.Name, header, engine, revision, members.Entries.Count, members.RemovedServers,
                hasOld ? Path.Combine(directory.Path, aside) : null);
        });
    }

    private static (StoreBackupHeader Header, IReadOnlyList<StoreEntry> Entries) Read(string path, CancellationToken cancellationToken)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20);
        try
        {
            var reader = new StoreBackupReader(file);
            var entries = new List<StoreEntry>();
            while (reader.TryRead(out StoreEntry? entry))
            {
                cancellationToken.ThrowIfCancellationRequested();
                entries.Add(entry);
            }

            return (reader.Header, entries);
        }
        catch (StoreBackupException exception)
        {
            throw MaintenanceDirectory.Explain(path, exception);
        }
    }

    private static void RequireFree(StoreRestoreOptions options, StoreBackupHeader header, DataDirectory directory, NodeFile? known)
    {
        if (options.Force)
            return;
        if (known is not null && known.ClusterId != header.ClusterId)
        {
            throw new StoreMaintenanceException(
                StoreMaintenanceFailure.Refused,
                $"{directory.Path} belongs to the node {known.Name} of the cluster {known.ClusterId}; the backup is of {header.ClusterId}. Choose another data directory, or replace it with --force.");
        }

        if (StoreSwitch.HasStore(directory.Path))
        {
            throw new StoreMaintenanceException(
                StoreMaintenanceFailure.Refused,
                $"{directory.Path} holds a store already. --force puts the backup in its place and keeps the old one beside it.");
        }
    }

    private static EndpointId LoadId(DataDirectory directory, NodeFile? known, StoreBackupHeader header)
    {
        // A node of another cluster may have any key; the directory's is used.
        string? knownId = known?.ClusterId == header.ClusterId ? known.EndpointId : null;
        SecretKey key = KeyLoader.TryLoad(directory.KeyPath, knownId, out string problem)
            ?? throw new StoreMaintenanceException(StoreMaintenanceFailure.Failed, problem);
        return key.PublicKey;
    }

    private static NodeFile Describe(
        StoreRestoreOptions options, StoreBackupHeader header, string engine, NodeFile? known, RestoredMembers members, EndpointId self)
    {
        NodeFile? own = known?.ClusterId == header.ClusterId ? known : null;
        string? before = members.OwnName ?? own?.Name;
        if (options.Name is { } wanted && before is not null && wanted != before)
        {
            throw new StoreMaintenanceException(
                StoreMaintenanceFailure.Usage, $"This node is called {before} in the cluster and keeps that name; '{wanted}' was asked for.");
        }

        string name = before ?? options.Name ?? NodeDefaults.Name();
        if (members.IsTakenByOther(name, self))
        {
            throw new StoreMaintenanceException(
                StoreMaintenanceFailure.Refused, $"A worker of the cluster in the backup is called {name}. Choose another name for this node with --name.");
        }

        return new NodeFile
        {
            Name = name,
            ClusterId = header.ClusterId,
            IsServer = true,
            Engine = engine,
            EndpointId = self.ToString(),
            UdpPort = own?.UdpPort ?? 0,
            GrpcPort = own?.GrpcPort ?? 0,
        };
    }
}
