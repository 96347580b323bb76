using Blixard.Node.Storage;

namespace Blixard.Node.Tests.Maintenance;

/// <summary>Copies of the data directory as it stood after every step: what a kill would have left.</summary>
public sealed class StoreSwitchTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("blixard-switch-").FullName;

    private string DataPath => Path.Combine(_root, "data");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void After_every_step_either_the_old_store_or_the_new_one_is_complete()
    {
        var left = new List<(string Step, string Copy)>();
        using (DataDirectory directory = Prepare())
        using (StoreSwitch target = StoreSwitch.Begin(directory, step => left.Add((step, CopyData(left.Count)))))
        {
            Directory.CreateDirectory(Path.Combine(target.EtcdPath, "data"));
            File.WriteAllText(Path.Combine(target.EtcdPath, "data", "db"), "new");
            target.Commit(Remembered("etcd"), "store.old");
        }

        Assert.True(left.Count >= 8, string.Join(", ", left.Select(item => item.Step)));
        int decided = left.FindIndex(item => item.Step == "decided");
        for (int i = 0; i < left.Count; i++)
        {
            // Opening ends what was decided.
            using (DataDirectory.Open(left[i].Copy))
            {
            }

            if (i < decided)
                RequireOld(left[i].Copy, left[i].Step);
            else
                RequireNew(left[i].Copy, left[i].Step);
        }
    }

    [Fact]
    public void A_leftover_of_a_killed_attempt_does_not_get_into_the_next_one()
    {
        using DataDirectory directory = Prepare();
        Directory.CreateDirectory(Path.Combine(DataPath, "store.new", "etcd"));
        File.WriteAllText(Path.Combine(DataPath, "store.new", "etcd", "half"), "half");
        using StoreSwitch target = StoreSwitch.Begin(directory);
        Assert.Empty(Directory.EnumerateFileSystemEntries(target.Staging));
    }

    [Fact]
    public void A_switch_that_cannot_be_ended_is_told_and_the_directory_is_let_go()
    {
        using (Prepare())
            Directory.CreateDirectory(Path.Combine(DataPath, "store.next", "etcd"));

        NodeStartException failed = Assert.Throws<NodeStartException>(() => DataDirectory.Open(DataPath));
        Assert.Contains("store.next", failed.Message);
        Directory.Delete(Path.Combine(DataPath, "store.next"), recursive: true);
        using (DataDirectory.Open(DataPath))
            RequireOld(DataPath, "repaired");
    }

    [Fact]
    public void What_is_not_committed_goes()
    {
        using DataDirectory directory = Prepare();
        using (StoreSwitch target = StoreSwitch.Begin(directory))
            File.WriteAllText(target.SqlitePath, "new");
        RequireOld(DataPath, "given up");
    }

    private static void RequireOld(string path, string step)
    {
        Assert.True(File.ReadAllText(Path.Combine(path, "store.db")) == "old", step);
        Assert.True(File.ReadAllText(Path.Combine(path, "store.db-wal")) == "log", step);
        Assert.True(NodeFile.TryRead(Path.Combine(path, "node.json"))!.Engine == "sqlite", step);
        Assert.False(Directory.Exists(Path.Combine(path, "etcd")), step);
    }

    private static void RequireNew(string path, string step)
    {
        Assert.True(File.ReadAllText(Path.Combine(path, "etcd", "data", "db")) == "new", step);
        Assert.True(NodeFile.TryRead(Path.Combine(path, "node.json"))!.Engine == "etcd", step);
        Assert.True(File.ReadAllText(Path.Combine(path, "store.old", "store.db")) == "old", step);
        Assert.True(File.ReadAllText(Path.Combine(path, "store.old", "store.db-wal")) == "log", step);
        Assert.False(File.Exists(Path.Combine(path, "store.db")), step);
        Assert.False(File.Exists(Path.Combine(path, "store.db-wal")), step);
        Assert.False(Directory.Exists(Path.Combine(path, "store.new")), step);
        Assert.False(Directory.Exists(Path.Combine(path, "store.next")), step);
    }

    private static NodeFile Remembered(string engine) => new() { Name = "one", ClusterId = "c", IsServer = true, Engine = engine };

    private DataDirectory Prepare()
    {
        DataDirectory directory = DataDirectory.Open(DataPath);
        File.WriteAllText(directory.StorePath, "old");
        File.WriteAllText(directory.StorePath + "-wal", "log");
        Remembered("sqlite").Write(directory.NodeFilePath);
        return directory;
    }

    private string CopyData(int number) => Copy(DataPath, Path.Combine(_root, $"copy-{number}"));

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
