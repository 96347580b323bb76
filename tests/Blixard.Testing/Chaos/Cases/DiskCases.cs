using System.Globalization;
using Blixard.Cluster.Store;
using Blixard.Testing.Namespaces;

namespace Blixard.Testing.Chaos.Cases;

/// <summary>Disks that become full.</summary>
internal static class DiskCases
{
    // What etcd has reserved on its disk is used up by so many writes of this length: more than its database grows by at once.
    private const int BulkWrites = 48;
    private const int BulkBytes = 512 * 1024;

    /// <summary>The disk of a follower: the rest goes on, and when there is space again it catches up.</summary>
    public static async Task FollowerAsync(ChaosRun run, ChaosLength length)
    {
        LabNode server = run.Cluster[ChaosCases.SmallDiskServer];
        LabDisk disk = run.Cluster.DiskOf(server.Name);
        await run.Cluster.MoveLeaderAwayAsync(server).ConfigureAwait(false);
        LabNode other = run.Cluster.Servers.First(one => one != server);
        await run.FaultAsync($"the disk of the follower {server.Name} full", async () =>
        {
            await disk.FillAsync().ConfigureAwait(false);
            await WriteMuchAsync(run, other).ConfigureAwait(false);
            await other.UntilStatusAsync(
                status => ClusterView.Find(status, server.Name)?.Raft is { Healthy: false }, $"{server.Name} has trouble").ConfigureAwait(false);
            await Task.Delay(length.Hold).ConfigureAwait(false);
            return "";
        }).ConfigureAwait(false);
        await run.FaultAsync($"space on {server.Name} again", async () =>
        {
            TimeSpan start = run.Workload.Now;
            disk.Free();
            await run.Cluster.UntilWholeAsync().ConfigureAwait(false);
            return string.Create(CultureInfo.InvariantCulture, $"it takes part again after {(run.Workload.Now - start).TotalSeconds:0.0} s");
        }).ConfigureAwait(false);
    }

    private static async Task WriteMuchAsync(ChaosRun run, LabNode through)
    {
        IClusterStore store = run.Cluster.OpenStore(through.Name);
        await using (store.ConfigureAwait(false))
        {
            // One key: the store's revisions grow, what is kept in the end does not.
            string key = run.Workload.Prefix + "bulk";
            for (int i = 0; i < BulkWrites; i++)
                await store.TransactAsync(new StoreTransaction([], [new StoreOperation.Put(key, new byte[BulkBytes])])).ConfigureAwait(false);
            await store.TransactAsync(new StoreTransaction([], [new StoreOperation.Delete(key)])).ConfigureAwait(false);
        }
    }
}
