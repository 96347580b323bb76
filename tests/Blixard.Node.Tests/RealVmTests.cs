using System.Diagnostics;
using System.Text;
using Blixard.Node.Tests.Support;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Node.Tests;

/// <summary>A real guest on a node that is killed: docs/microvm.md says what the guest of build/guest-image.sh promises.</summary>
public sealed class RealVmTests
{
    // A boot takes 2 s alone on a core, and there may be far less than a core.
    private static readonly TimeSpan BootLimit = TimeSpan.FromSeconds(90);

    [Fact]
    public async Task A_guest_outlives_the_kill_of_its_node_and_stops_when_asked_through_another()
    {
        string guest = await BuildGuestAsync();
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        await using NodeProcess two = await NodeProcess.StartReadyAsync(cluster, "two", await one.CreateTicketAsync());
        await one.UntilLinkedAsync("two");
        await foreach (ImageProgress _ in one.Api.StreamAsync(ImageMethods.Add, new AddImageRequest
        {
            Name = "guest",
            KernelPath = Path.Combine(guest, "vmlinuz"),
            InitramfsPath = Path.Combine(guest, "initramfs.cpio.gz"),
        }))
        {
            // Only the end counts.
        }

        await one.CallAsync(VmMethods.Run, new RunRequest { Spec = new VmSpec { Name = "vm", Image = "guest", Node = "two", MemoryMib = 128 } });
        await UntilConsoleSaysAsync(one, "blixard-guest: up vm");
        await two.KillAsync();
        await using NodeProcess again = await NodeProcess.StartReadyAsync(cluster, "two");
        await one.UntilLinkedAsync("two");
        await again.UntilLinkedAsync("one");

        StatusResponse taken = await one.UntilAsync(status => status.Vms.Single().Status.State == VmState.Running, "the VM taken over");
        Assert.Equal(0U, taken.Vms.Single().Status.Restarts);
        await one.CallAsync(VmMethods.Stop, new StopRequest { Name = "vm" });
        StatusResponse stopped = await one.UntilAsync(status => status.Vms.Single().Status.State == VmState.Stopped, "the VM stopped");
        Assert.Contains("powered off", stopped.Vms.Single().Status.Reason);
        await one.CallAsync(VmMethods.Remove, new RemoveVmRequest { Name = "vm" });
        await one.UntilAsync(status => status.Vms.Count == 0 && !Directory.Exists(Path.Combine(cluster.DirectoryOf("two"), "vms", "vm")), "the VM gone");
    }

    private static async Task UntilConsoleSaysAsync(TestNode node, string words)
    {
        using var patience = new CancellationTokenSource(BootLimit);
        var console = new StringBuilder();
        while (true)
        {
            try
            {
                await foreach (LogsResponse piece in node.Api.StreamAsync(
                    VmMethods.Logs, new LogsRequest { Name = "vm", Follow = true }, RpcCallOptions.Within(BootLimit), patience.Token))
                {
                    console.Append(piece.Data.ToStringUtf8());
                    if (console.ToString().Contains(words, StringComparison.Ordinal))
                        return;
                }
            }
            catch (RpcException e) when (e.StatusCode == RpcStatusCode.NotFound)
            {
                // Its node has not yet begun with it.
                await Task.Delay(100, patience.Token);
            }
        }
    }

    private static async Task<string> BuildGuestAsync()
    {
        DirectoryInfo? root = new(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "Blixard.slnx")))
            root = root.Parent;
        string guest = Path.Combine(root!.FullName, "artifacts", "guest");
        var start = new ProcessStartInfo(Path.Combine(root.FullName, "build", "guest-image.sh")) { RedirectStandardError = true, ArgumentList = { guest } };
        using Process script = Process.Start(start)!;
        string said = await script.StandardError.ReadToEndAsync();
        await script.WaitForExitAsync();
        Assert.True(script.ExitCode == 0, "guest-image.sh failed: " + said);
        return guest;
    }
}
