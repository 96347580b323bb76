using Blixard.Cluster.Store;
using Blixard.Cluster.Store.Backup;
using Blixard.Etcd.Client;
using Blixard.Etcd.Process;
using Blixard.Etcd.Store;
using Blixard.Node.Maintenance;
using Blixard.Node.Storage;
using Blixard.Node.Tests.Support;
using Iroh;
using Iroh.Base;
using Iroh.Cryptography;

namespace Blixard.Node.Tests.Maintenance;

/// <summary>Data directories of stopped nodes, and a real etcd that starts on what becomes of them.</summary>
public sealed class StoreMigrationTests : IDisposable
{
    private const string ClusterId = "4f0f9a3e-2f43-4c8e-9d0f-7b1d5a2c6e10";

    private readonly string _root = Directory.CreateTempSubdirectory("blixard-migration-").FullName;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private string DataPath => Path.Combine(_root, "data");

    private string BackupPath => Path.Combine(_root, "backup");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task A_migrated_node_goes_on_in_etcd_at_the_same_revision_whenever_it_was_killed()
    {
        StoreRange before = await PrepareAsync(60);
        var left = new List<(string Step, string Copy)>();
        StoreMigrated migrated = await StoreMigration.ToEtcdAsync(
            DataPath, "etcd", TimeProvider.System, null, step => left.Add((step, Copy(DataPath, Path.Combine(_root, $"copy-{left.Count}")))), Stop);

        Assert.Equal((before.Revision, 1L, before.Entries.Count), (migrated.Revision, migrated.OldestRevision, (int)migrated.Entries));
        Assert.True(File.Exists(Path.Combine(migrated.SetAside, "store.db")));
        await RequireEtcdAsync(DataPath, before);
        int decided = left.FindIndex(item => item.Step == "decided");
        Assert.True(decided > 1 && left.Count > decided + 2, string.Join(", ", left.Select(item => item.Step)));
        foreach ((string step, string copy) in left.Take(decided))
        {
            using DataDirectory directory = DataDirectory.Open(copy);
            Assert.True(NodeFile.TryRead(directory.NodeFilePath)!.Engine == "sqlite", step);
            await using SqliteStore store = SqliteStore.Open(directory.StorePath, TimeProvider.System, OperatingSystemRandomSource.Instance);
            Assert.True(Lines(before).SequenceEqual(Lines(await store.RangeAsync("", Stop))), step);
        }

        // Starting an etcd on each would take long; the files are the same ones, moved.
        foreach ((string step, string copy) in left.Skip(decided))
        {
            using DataDirectory directory = DataDirectory.Open(copy);
            Assert.True(NodeFile.TryRead(directory.NodeFilePath)!.Engine == "etcd", step);
            Assert.True(File.Exists(Path.Combine(directory.EtcdPath, "data", "member", "snap", "db")), step);
            Assert.False(File.Exists(directory.StorePath), step);
        }
    }

    [Fact]
    public async Task A_store_goes_through_a_backup_from_sqlite_to_etcd_and_from_etcd_to_etcd_and_back()
    {
        StoreRange before = await PrepareAsync(40);
        Backup(before, "sqlite");
        foreach (string engine in (string[])["etcd", "etcd", "sqlite"])
        {
            StoreRestored restored = await StoreRestore.RunAsync(
                new StoreRestoreOptions { BackupPath = BackupPath, DataDirectory = DataPath, Engine = engine, Force = true }, TimeProvider.System, null, Stop);
            Assert.Equal((engine, before.Revision + StoreRestore.RevisionStep), (restored.Engine, restored.Revision));
            before = before with { Revision = restored.Revision };
            if (engine == "etcd")
            {
                Backup(await RequireEtcdAsync(DataPath, before), engine);
                continue;
            }

            await using SqliteStore store = SqliteStore.Open(Path.Combine(DataPath, "store.db"), TimeProvider.System, OperatingSystemRandomSource.Instance);
            Assert.Equal(Lines(before), Lines(await store.RangeAsync("", Stop)));
        }

        Assert.Equal(3, Directory.GetDirectories(DataPath, "store.old-*").Length);
    }

    [Fact]
    public async Task Twenty_thousand_keys_with_values_up_to_a_mebibyte_are_migrated()
    {
        await PrepareAsync(1);
        string path = Path.Combine(DataPath, "store.db");
        File.Delete(path);
        List<StoreEntry> entries = [];
        for (int i = 0; i < 20_000; i++)
            entries.Add(new StoreEntry($"/big/{i:D5}", new byte[i % 1_000 == 0 ? StoreLimits.ValueBytesMax : i % 700], i + 1, i + 1, 1));
        SqliteSeed.Write(path, entries, 20_000, Stop);

        StoreMigrated migrated = await StoreMigration.ToEtcdAsync(DataPath, "etcd", TimeProvider.System, null, Stop);

        Assert.Equal((20_000L, 20_001L, 20_000L), (migrated.Revision, migrated.OldestRevision, migrated.Entries));
        await RequireEtcdAsync(DataPath, new StoreRange(entries, 20_000));
    }

    [Fact]
    public async Task Without_etcd_the_store_stays_as_it_is_and_the_message_says_what_to_install()
    {
        StoreRange before = await PrepareAsync(5);
        StoreMaintenanceException failed = await Assert.ThrowsAsync<StoreMaintenanceException>(
            () => StoreMigration.ToEtcdAsync(DataPath, "/nowhere/etcd", TimeProvider.System, null, Stop));
        Assert.Contains("etcd-server", failed.Message);
        Assert.False(Directory.Exists(Path.Combine(DataPath, "store.new")));
        await using SqliteStore store = SqliteStore.Open(Path.Combine(DataPath, "store.db"), TimeProvider.System, OperatingSystemRandomSource.Instance);
        Assert.Equal(Lines(before), Lines(await store.RangeAsync("", Stop)));
    }

    [Fact]
    public async Task What_is_no_sqlite_server_is_not_migrated()
    {
        await PrepareAsync(1);
        string file = Path.Combine(DataPath, "node.json");
        NodeFile server = NodeFile.TryRead(file)!;
        (server with { IsServer = false }).Write(file);
        Assert.Contains("is a worker", (await FailAsync(DataPath)).Message);
        (server with { Engine = "etcd" }).Write(file);
        StoreMaintenanceException already = await FailAsync(DataPath);
        Assert.Equal(StoreMaintenanceFailure.Refused, already.Failure);
        Assert.Contains("in etcd already", already.Message);
        Assert.Contains("no data directory", (await FailAsync(Path.Combine(_root, "none"))).Message);
        Assert.False(Directory.Exists(Path.Combine(_root, "none")));
    }

    private static Task<StoreMaintenanceException> FailAsync(string path) => Assert.ThrowsAsync<StoreMaintenanceException>(
        () => StoreMigration.ToEtcdAsync(path, "etcd", TimeProvider.System, null, Stop));

    // A stopped server with some history.
    private async Task<StoreRange> PrepareAsync(int writes)
    {
        using DataDirectory directory = DataDirectory.Open(DataPath);
        EndpointId self = SecretKeyFile.LoadOrCreate(directory.KeyPath).PublicKey;
        new NodeFile { Name = "one", ClusterId = ClusterId, IsServer = true, EndpointId = self.ToString() }.Write(directory.NodeFilePath);
        await using SqliteStore store = SqliteStore.Open(directory.StorePath, TimeProvider.System, OperatingSystemRandomSource.Instance);
        for (int i = 0; i < writes; i++)
        {
            StoreOperation[] operations = i % 5 == 4
                ? [new StoreOperation.Delete($"/k/{i % 11}"), new StoreOperation.Put("/deletes", new byte[] { (byte)i })]
                : [new StoreOperation.Put($"/k/{i % 11}", new byte[i * 100])];
            await store.TransactAsync(new StoreTransaction([], operations), Stop);
        }

        return await store.RangeAsync("", Stop);
    }

    private void Backup(StoreRange range, string engine)
    {
        using FileStream file = File.Create(BackupPath);
        var writer = new StoreBackupWriter(file, new StoreBackupHeader(ClusterId, engine, range.Revision, DateTimeOffset.UnixEpoch));
        foreach (StoreEntry entry in range.Entries)
            writer.Append(entry);
        writer.Complete();
    }

    private static async Task<StoreRange> RequireEtcdAsync(string path, StoreRange expected)
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        NodeFile file = NodeFile.TryRead(Path.Combine(path, "node.json"))!;
        Assert.Equal("etcd", file.Engine);
        await using EtcdServer etcd = await EtcdServer.StartAsync(
            new EtcdServerOptions { Directory = Path.Combine(path, "etcd"), Self = EndpointId.Parse(file.EndpointId!) }, new EtcdStart.Continue(),
            TestLog.Factory, TimeProvider.System, patience.Token);
        await etcd.WaitUntilServingAsync(patience.Token);
        using var client = new EtcdClient(etcd.ClientSocketPath, TimeProvider.System);
        await using var store = new EtcdStore(client, TimeProvider.System);
        StoreRange range = await store.RangeAsync("", patience.Token);
        Assert.Equal(Lines(expected), Lines(range));
        return range;
    }

    private static List<string> Lines(StoreRange range) =>
    [
        $"revision {range.Revision}",
        .. range.Entries.Select(entry => $"{entry.Key} {entry.CreateRevision} {entry.ModRevision} {entry.Version} {Convert.ToHexString(entry.Value.Span)}"),
    ];

    private static string Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.EnumerateFiles(from).Where(file => Path.GetFileName(file) != "lock"))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        foreach (string directory in Directory.EnumerateDirectories(from))
            Copy(directory, Path.Combine(to, Path.GetFileName(directory)));
        return to;
    }
}
