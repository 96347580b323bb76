using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Blixard.Cli.Tests.Cluster;
using Blixard.Testing.Basics;

namespace Blixard.Cli.Tests.Vms;

/// <summary>Ports of real guests, as a user publishes them.</summary>
[Collection(nameof(CliCluster))]
public sealed class VmPublishTests
{
    [Fact]
    public async Task A_VM_answers_on_the_port_that_it_publishes_and_no_other_VM_of_its_node_gets_that_port()
    {
        string guest = await BuildGuestAsync();
        await using var cluster = new CliCluster();
        await cluster.StartAsync("one", "up");
        await cluster.JsonAsync("one", "image", "add", "web", "--kernel", Path.Combine(guest, "vmlinuz"), "--initramfs", Path.Combine(guest, "initramfs.cpio.gz"));
        int port = FreePort.Find();

        CliResult run = await cluster.RunAsync("one", "vm", "run", "web-1", "--image", "web", "--memory", "128", "-p", $"{port}:80");
        CliResult taken = await cluster.RunAsync("one", "vm", "run", "web-2", "--image", "web", "--publish", $"{port}:8080");

        Assert.True(run.ExitCode == 0, run.Errors);
        Assert.Contains($"Published on one: 127.0.0.1:{port} -> 80", run.Output);
        Assert.Equal(1, taken.ExitCode);
        Assert.Contains($"fits nowhere: one publishes port {port} for the VM web-1 already", taken.Errors);
        Assert.StartsWith("hello from web-1, ", await Page.FetchAsync(port), StringComparison.Ordinal);
        Assert.Contains($"127.0.0.1:{port} -> 80", (await cluster.RunAsync("one", "vm", "ls")).Output);
        Assert.Matches($"(?m)^ports +127.0.0.1:{port} -> 80$", (await cluster.RunAsync("one", "vm", "inspect", "web-1")).Output);
    }

    [Fact]
    public async Task A_port_that_another_program_has_is_named_in_the_VMs_state()
    {
        string guest = await BuildGuestAsync();
        await using var cluster = new CliCluster();
        await cluster.StartAsync("one", "up");
        await cluster.JsonAsync("one", "image", "add", "web", "--kernel", Path.Combine(guest, "vmlinuz"), "--initramfs", Path.Combine(guest, "initramfs.cpio.gz"));
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        int port = ((IPEndPoint)other.LocalEndpoint).Port;

        await cluster.JsonAsync("one", "vm", "run", "web-1", "--image", "web", "--memory", "128", "--restart", "never", "-p", $"{port}:80");

        JsonNode failed = await cluster.UntilAsync("one", ["vm", "inspect", "web-1"], vm => Text(vm["state"]) == "failed", "the VM without its port");
        Assert.Equal($"127.0.0.1:{port} of this node cannot be published: another program there has it; end that one, or publish another port", Text(failed["reason"]));
    }

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
