using Blixard.Node.Maintenance;
using Blixard.Node.Tests.Support;
using Blixard.Rpc.Calls;
using Blixard.V1;
using Google.Protobuf;

namespace Blixard.Node.Tests.Maintenance;

public sealed class StoreBackupAndRestoreTests : IAsyncDisposable
{
    private readonly TestCluster _cluster = new();
    private readonly string _backup = Path.Combine(Path.GetTempPath(), $"blixard-backup-{Guid.NewGuid():N}");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        File.Delete(_backup);
    }

    [Fact]
    public async Task A_running_nodes_store_is_backed_up_and_restored_key_for_key()
    {
        TestNode one = await _cluster.UpAsync("one");
        await PutAsync(one, 40);
        List<KeyValue> before = await KeysAsync(one);
        StoreBackedUp backup = await StoreBackup.RunAsync(one.Api, _backup, false, false, TimeProvider.System, null, Stop);
        Assert.Equal(new FileInfo(_backup).Length, backup.Bytes);
        Assert.Equal(before.Count(entry => entry.Lease == 0), backup.Entries);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_backup));
        Assert.False(File.Exists(_backup + ".new"));
        await PutAsync(one, 1);
        await one.DisposeAsync();

        string directory = _cluster.DirectoryOf("one");
        StoreRestoreOptions options = new() { BackupPath = _backup, DataDirectory = directory };
        StoreMaintenanceException refused = await Assert.ThrowsAsync<StoreMaintenanceException>(() => StoreRestore.RunAsync(options, TimeProvider.System, null, Stop));
        Assert.Equal(StoreMaintenanceFailure.Refused, refused.Failure);
        StoreRestored restored = await StoreRestore.RunAsync(options with { Force = true }, TimeProvider.System, null, Stop);

        Assert.Equal("one", restored.Name);
        Assert.Equal(backup.Header.Revision + StoreRestore.RevisionStep, restored.Revision);
        Assert.True(File.Exists(Path.Combine(restored.SetAside!, "store.db")));
        TestNode again = await _cluster.UpAsync("one");
        Assert.Equal(backup.Header.ClusterId, again.Node.ClusterId);
        // The node writes its own record when it starts; all other keys are as they were, to the revision.
        Assert.Equal(Lines(before), Lines(await KeysAsync(again)));
    }

    [Fact]
    public async Task An_empty_directory_becomes_the_clusters_only_server_and_the_lost_one_is_no_member()
    {
        TestNode one = await _cluster.UpAsync("one");
        TestNode two = await _cluster.JoinAsync("two", one);
        await two.UntilLinkedAsync("one");
        await StoreBackup.RunAsync(one.Api, _backup, false, false, TimeProvider.System, null, Stop);
        await two.DisposeAsync();
        await one.DisposeAsync();

        StoreRestored restored = await StoreRestore.RunAsync(
            new StoreRestoreOptions { BackupPath = _backup, DataDirectory = _cluster.DirectoryOf("three"), Name = "three" }, TimeProvider.System, null, Stop);

        Assert.Equal(["one"], restored.RemovedServers);
        Assert.Null(restored.SetAside);
        TestNode three = await _cluster.UpAsync("three");
        StatusResponse status = await three.StatusAsync();
        Assert.Equal(restored.Header.ClusterId, status.ClusterId);
        Assert.Equal(["three", "two"], status.Nodes.Select(node => node.Member.Node.Name));
        Assert.Equal(NodeRole.Server, status.Nodes[0].Member.Node.Role);
    }

    [Fact]
    public async Task A_file_is_not_overwritten_unless_that_is_said()
    {
        TestNode one = await _cluster.UpAsync("one");
        await File.WriteAllTextAsync(_backup, "mine", Stop);
        StoreMaintenanceException refused = await Assert.ThrowsAsync<StoreMaintenanceException>(
            () => StoreBackup.RunAsync(one.Api, _backup, false, false, TimeProvider.System, null, Stop));
        Assert.Equal(StoreMaintenanceFailure.Refused, refused.Failure);
        Assert.Equal("mine", await File.ReadAllTextAsync(_backup, Stop));
        Assert.True((await StoreBackup.RunAsync(one.Api, _backup, true, true, TimeProvider.System, null, Stop)).Entries > 0);
    }

    [Fact]
    public async Task The_store_of_a_running_node_is_not_touched()
    {
        TestNode one = await _cluster.UpAsync("one");
        await StoreBackup.RunAsync(one.Api, _backup, false, false, TimeProvider.System, null, Stop);
        string directory = _cluster.DirectoryOf("one");

        StoreMaintenanceException restore = await Assert.ThrowsAsync<StoreMaintenanceException>(() => StoreRestore.RunAsync(
            new StoreRestoreOptions { BackupPath = _backup, DataDirectory = directory, Force = true }, TimeProvider.System, null, Stop));
        StoreMaintenanceException migrate = await Assert.ThrowsAsync<StoreMaintenanceException>(
            () => StoreMigration.ToEtcdAsync(directory, "etcd", TimeProvider.System, null, Stop));

        Assert.Contains($"(pid {Environment.ProcessId})", restore.Message);
        Assert.Contains($"(pid {Environment.ProcessId})", migrate.Message);
        Assert.NotEmpty(await KeysAsync(one));
    }

    [Fact]
    public async Task A_damaged_backup_changes_nothing_and_is_named()
    {
        TestNode one = await _cluster.UpAsync("one");
        await StoreBackup.RunAsync(one.Api, _backup, false, false, TimeProvider.System, null, Stop);
        byte[] bytes = await File.ReadAllBytesAsync(_backup, Stop);
        bytes[^1] ^= 1;
        await File.WriteAllBytesAsync(_backup, bytes, Stop);
        string directory = _cluster.DirectoryOf("two");

        StoreMaintenanceException refused = await Assert.ThrowsAsync<StoreMaintenanceException>(() => StoreRestore.RunAsync(
            new StoreRestoreOptions { BackupPath = _backup, DataDirectory = directory }, TimeProvider.System, null, Stop));

        Assert.Equal($"{_backup} was altered: its checksum is not right.", refused.Message);
        Assert.False(Directory.Exists(directory));
    }

    [Fact]
    public async Task A_backup_of_another_cluster_and_a_name_that_is_taken_are_refused()
    {
        TestNode one = await _cluster.UpAsync("one");
        TestNode two = await _cluster.JoinAsync("two", one);
        await StoreBackup.RunAsync(one.Api, _backup, false, false, TimeProvider.System, null, Stop);
        TestNode other = await _cluster.UpAsync("other");
        await other.DisposeAsync();

        StoreMaintenanceException stranger = await Assert.ThrowsAsync<StoreMaintenanceException>(() => StoreRestore.RunAsync(
            new StoreRestoreOptions { BackupPath = _backup, DataDirectory = _cluster.DirectoryOf("other") }, TimeProvider.System, null, Stop));
        StoreMaintenanceException taken = await Assert.ThrowsAsync<StoreMaintenanceException>(() => StoreRestore.RunAsync(
            new StoreRestoreOptions { BackupPath = _backup, DataDirectory = _cluster.DirectoryOf("fresh"), Name = "two" }, TimeProvider.System, null, Stop));

        Assert.Contains("belongs to the node other", stranger.Message);
        Assert.Contains("A worker of the cluster in the backup is called two", taken.Message);
        Assert.Equal("two", two.Node.Name);
    }

    private static async Task PutAsync(TestNode node, int count)
    {
        for (int i = 0; i < count; i++)
        {
            await node.CallAsync(StoreMethods.Transact, new TransactRequest
            {
                Operations = { new Operation { Put = new PutOperation { Key = $"/test/{i % 7}", Value = ByteString.CopyFrom((byte)i) } } },
            });
        }
    }

    private static async Task<List<KeyValue>> KeysAsync(TestNode node)
    {
        var keys = new List<KeyValue>();
        await foreach (RangeResponse page in node.Api.StreamAsync(StoreMethods.Range, new RangeRequest(), RpcCallOptions.Within(TestNode.Patience), Stop))
            keys.AddRange(page.Kvs);
        return keys;
    }

    private static IEnumerable<string> Lines(IEnumerable<KeyValue> keys) =>
        keys.Where(entry => entry.Lease == 0 && !entry.Key.StartsWith("/members/", StringComparison.Ordinal)).Select(entry => entry.ToString());
}
