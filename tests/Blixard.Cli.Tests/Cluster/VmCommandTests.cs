using System.Text.Json.Nodes;

namespace Blixard.Cli.Tests.Cluster;

[Collection(nameof(CliCluster))]
public sealed class VmCommandTests
{
    private const string GuestLine = "blixard-guest: up web-1";

    [Fact]
    public async Task A_VM_and_all_records_outlive_the_killing_of_both_nodes()
    {
        string guest = await BuildGuestAsync();
        await using var cluster = new CliCluster();
        string id = Text((await cluster.StartAsync("one", "up"))["endpointId"]);
        await cluster.StartAsync("two", "join", await cluster.CreateTicketAsync("one"));
        await cluster.JsonAsync("one", "image", "add", "web", "--kernel", Path.Combine(guest, "vmlinuz"), "--initramfs", Path.Combine(guest, "initramfs.cpio.gz"));

        JsonNode run = await cluster.JsonAsync("one", "vm", "run", "web-1", "--image", "web", "--node", "two");
        Assert.Equal(("web-1", "two", "web:latest", "asked for by name"), (Text(run["name"]), Text(run["node"]), Text(run["image"]), Text(run["reason"])));
        string started = Text((await UntilAsync(cluster, "one", "running"))["startedAt"]);
        await using (CliProcess logs = CliProcess.Start("vm", "logs", "web-1", "-f", "--data-dir", cluster.DirectoryOf("one")))
        {
            Assert.Contains(GuestLine, await logs.ReadUntilAsync(GuestLine));
            CliResult end = await logs.EndAsync("INT");
            Assert.Equal((0, ""), (end.ExitCode, end.Errors));
        }

        await cluster.Process("two").KillAsync();
        await cluster.StartAsync("two", "up");
        JsonNode vm = await UntilAsync(cluster, "two", "running");
        Assert.Equal((started, 0), (Text(vm["startedAt"]), vm["restarts"]!.GetValue<int>()));

        await cluster.Process("one").KillAsync();
        CliResult unreachable = await cluster.RunAsync("two", "vm", "ls", "--json");
        Assert.Equal((3, ""), (unreachable.ExitCode, unreachable.Output));
        Assert.Equal(id, Text((await cluster.StartAsync("one", "up"))["endpointId"]));
        JsonNode status = await cluster.UntilStatusAsync(
            "one", status => status["nodes"]!.AsArray().All(node => Text(node!["state"]) == "ready") && Text(status["vms"]![0]!["state"]) == "running", "both nodes and the VM");
        Assert.Equal(["one", "two"], status["nodes"]!.AsArray().Select(node => Text(node!["name"])));
        JsonNode image = Assert.Single(status["images"]!.AsArray())!;
        Assert.Equal(["one", "two"], image["nodes"]!.AsArray().Select(Text));
        await cluster.UntilStatusAsync("two", status => status["nodes"]!.AsArray().All(node => Text(node!["state"]) == "ready"), "the server again");

        await ConsoleAsync(cluster);
        await StopAndRemoveAsync(cluster);
    }

    private static async Task ConsoleAsync(CliCluster cluster)
    {
        await using CliProcess console = CliProcess.Start("vm", "console", "web-1", "--data-dir", cluster.DirectoryOf("one"));
        await console.TypeAsync("echo six times seven is $((6*7))\n");
        await console.ReadUntilAsync("six times seven is 42");
        await console.TypeAsync("\u001d");
        Assert.Equal(0, (await console.WaitAsync()).ExitCode);
    }

    private static async Task StopAndRemoveAsync(CliCluster cluster)
    {
        CliResult runs = await cluster.RunAsync("one", "vm", "rm", "web-1");
        Assert.Equal(4, runs.ExitCode);
        Assert.Contains("web-1 runs", runs.Errors);
        CliResult used = await cluster.RunAsync("one", "image", "rm", "web");
        Assert.Equal(4, used.ExitCode);
        Assert.Contains("used by VMs: web-1", used.Errors);
        CliResult holds = await cluster.RunAsync("two", "leave");
        Assert.Equal(4, holds.ExitCode);
        Assert.Contains("web-1", holds.Errors);

        Assert.Equal("stopped", Text((await cluster.JsonAsync("one", "vm", "stop", "web-1"))["desired"]));
        Assert.Contains("powered off when asked", Text((await UntilAsync(cluster, "one", "stopped"))["reason"]));
        Assert.Contains(GuestLine, (await cluster.RunAsync("one", "vm", "logs", "web-1")).Output);
        CliResult detached = await cluster.RunAsync("one", "vm", "console", "web-1");
        Assert.Equal(4, detached.ExitCode);
        Assert.Contains("not running", detached.Errors);
        Assert.Equal("web-1", Text((await cluster.JsonAsync("one", "vm", "rm", "web-1"))["removed"]));
        Assert.Empty((await cluster.JsonAsync("two", "vm", "ls")).AsArray());
        await cluster.JsonAsync("two", "leave");
        Assert.Equal(0, (await cluster.Process("two").WaitAsync()).ExitCode);
    }

    private static Task<JsonNode> UntilAsync(CliCluster cluster, string node, string state) => cluster.UntilAsync(
        node, ["vm", "inspect", "web-1"], vm => Text(vm["state"]) == state, $"web-1 {state}");

    private static async Task<string> BuildGuestAsync()
    {
        DirectoryInfo? root = new(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "Blixard.slnx")))
            root = root.Parent;
        string guest = Path.Combine(root!.FullName, "artifacts", "guest");
        await BuildScript.RunAsync(Path.Combine(root.FullName, "build", "guest-image.sh"), guest);
        return guest;
    }

    private static string Text(JsonNode? value) => value!.GetValue<string>();
}
