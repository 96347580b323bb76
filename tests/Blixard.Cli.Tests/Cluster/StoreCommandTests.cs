using System.Text.Json.Nodes;

namespace Blixard.Cli.Tests.Cluster;

[Collection(nameof(CliCluster))]
public sealed class StoreCommandTests
{
    [Fact]
    public async Task A_cluster_is_backed_up_lost_restored_and_migrated()
    {
        await using var cluster = new CliCluster();
        JsonNode one = await cluster.StartAsync("one", "up");
        string file = Path.Combine(cluster.Folder, "backup");
        JsonNode backup = await cluster.JsonAsync("one", "store", "backup", file);
        Assert.Equal((file, Text(one["clusterId"]), "sqlite"), (Text(backup["file"]), Text(backup["clusterId"]), Text(backup["engine"])));
        Assert.Equal(new FileInfo(file).Length, backup["bytes"]!.GetValue<long>());
        Assert.True(backup["entries"]!.GetValue<long>() > 0);
        Assert.Equal(4, (await cluster.RunAsync("one", "store", "backup", file)).ExitCode);
        Assert.Equal(0, (await cluster.RunAsync("one", "store", "backup", file, "--force")).ExitCode);

        CliResult running = await cluster.RunAsync("one", "store", "restore", file, "--force");
        Assert.Equal(1, running.ExitCode);
        Assert.Contains($"(pid {cluster.Process("one").Id})", running.Errors);
        CliResult held = await CliProcess.RunAsync("blob", "check", cluster.DirectoryOf("one"));
        Assert.Equal(4, held.ExitCode);
        Assert.Contains($"process {cluster.Process("one").Id}", held.Errors);
        await cluster.Process("one").EndAsync("TERM");
        CliResult free = await CliProcess.RunAsync("blob", "check", cluster.DirectoryOf("one"));
        Assert.True(free.ExitCode == 0, free.Errors);
        CliResult gone = await cluster.RunAsync("one", "store", "backup", file + "2");
        Assert.Equal(3, gone.ExitCode);

        CliResult refused = await cluster.RunAsync("one", "store", "restore", file);
        Assert.Equal(4, refused.ExitCode);
        Assert.Contains("--force", refused.Errors);
        JsonNode restored = await cluster.JsonAsync("one", "store", "restore", file, "--force");
        Assert.Equal(("one", "sqlite"), (Text(restored["name"]), Text(restored["engine"])));
        Assert.True(restored["revision"]!.GetValue<long>() > backup["revision"]!.GetValue<long>());
        JsonNode again = await cluster.StartAsync("one", "up");
        Assert.Equal(Text(one["clusterId"]), Text(again["clusterId"]));
        await cluster.Process("one").EndAsync("TERM");

        CliResult migrated = await cluster.RunAsync("one", "store", "migrate", "--to", "etcd");
        Assert.True(migrated.ExitCode == 0, migrated.Errors);
        Assert.Contains("blixard up", migrated.Output);
        Assert.True(Directory.Exists(Path.Combine(cluster.DirectoryOf("one"), "etcd", "data", "member")));
        Assert.Equal(4, (await cluster.RunAsync("one", "store", "migrate", "--to", "etcd")).ExitCode);
    }

    [Fact]
    public async Task What_is_no_backup_is_refused_by_name()
    {
        await using var cluster = new CliCluster();
        string file = Path.Combine(cluster.Folder, "notes.txt");
        await File.WriteAllTextAsync(file, "this is no backup", TestContext.Current.CancellationToken);
        CliResult result = await cluster.RunAsync("one", "store", "restore", file);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains($"{file} is no backup of a Blixard store", result.Errors);
        Assert.False(Directory.Exists(cluster.DirectoryOf("one")));
        Assert.Equal(2, (await cluster.RunAsync("one", "store", "migrate", "--to", "postgres")).ExitCode);
    }

    private static string Text(JsonNode? node) => node!.GetValue<string>();
}
