using System.Security.Cryptography;
using Blixard.Cluster.Store.Backup;
using Blixard.Etcd.Database;
using Blixard.Etcd.Membership;
using Blixard.Etcd.Process;
using Blixard.Node.Storage;
using Iroh.Base;

namespace Blixard.Node.Maintenance;

/// <summary>Makes etcd's directory of a node that will be the cluster's first etcd member.</summary>
internal static class EtcdMemberSeed
{
    // Beside the UUID in the cluster's token: no two seeds make members with the same ids, which would take each other for themselves.
    private const int TokenRandomBytes = 8;

    /// <summary>Builds <see cref="StoreSwitch.EtcdPath"/>.</summary>
    /// <returns>The store revision that the member begins at.</returns>
    /// <exception cref="EtcdServerException">There is no etcd that this version runs.</exception>
    /// <exception cref="EtcdRestoreException">The tool that belongs to etcd is missing or failed.</exception>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static async Task<long> BuildAsync(
        StoreSwitch target, StoreHistory history, EndpointId self, string clusterId, string etcdProgram, TimeProvider time,
        IProgress<long>? progress, CancellationToken cancellationToken)
    {
        // Before the work: without etcd the node could not start with what is made here.
        EtcdProgram program = await EtcdProgram.FindAsync(etcdProgram, time, cancellationToken).ConfigureAwait(false);
        string snapshot = Path.Combine(target.Staging, "snapshot.db");
        long revision = await EtcdDatabase.WriteAsync(snapshot, history, progress, cancellationToken).ConfigureAwait(false);
        StoreSwitch.CreatePrivate(target.EtcdPath);
        await EtcdRestoreTool.RestoreAsync(
            program.Path, snapshot, Path.Combine(target.EtcdPath, "data"), self.ToString(), EtcdMembership.PeerUrl(self),
            $"{clusterId}/{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(TokenRandomBytes))}", cancellationToken).ConfigureAwait(false);
        File.Delete(snapshot);
        return revision;
    }
}
