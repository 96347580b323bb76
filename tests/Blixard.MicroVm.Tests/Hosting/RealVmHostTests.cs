using System.Diagnostics;
using Blixard.MicroVm.Console;
using Blixard.MicroVm.Drivers;
using Blixard.MicroVm.Hosting;
using Blixard.MicroVm.Model;
using Blixard.MicroVm.Qemu;

namespace Blixard.MicroVm.Tests.Hosting;

/// <summary>The host over the real QEMU, and a host process that is killed.</summary>
[Collection(nameof(RealQemu))]
public sealed class RealVmHostTests(RealQemu image) : IAsyncDisposable
{
    private const string ChildDirectory = "BLIXARD_TEST_CHILD_DIRECTORY";
    private readonly TemporaryDirectory _directory = new();
    private readonly CancellationTokenSource _limit = new(RealQemu.Limit);
    private readonly List<Process> _children = [];

    public async ValueTask DisposeAsync()
    {
        foreach (Process child in _children)
        {
            child.Kill();
            await child.WaitForExitAsync(CancellationToken.None);
            child.Dispose();
        }

        // VMs outlive who started them, also a test that failed.
        using var limit = new CancellationTokenSource(RealQemu.Limit);
        await using (VmHost host = await OpenAsync(_directory.Path, stopGrace: TimeSpan.Zero))
        {
            host.Apply([]);
            while (host.GetStatuses().Count > 0)
                await Task.Delay(20, limit.Token);
        }

        _limit.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_killed_QEMU_is_started_again_and_removal_leaves_nothing()
    {
        await using VmHost host = await OpenAsync(_directory.Path);
        host.Apply([Want("phoenix")]);
        await UntilLoggedAsync(host, "blixard-guest: up phoenix ", 1);
        VmStatus first = host.GetStatus("phoenix")!;
        Assert.Equal((VmState.Running, "running"), (first.State, first.Reason));
        Kill(first.Pid!.Value);

        await UntilLoggedAsync(host, "blixard-guest: up phoenix ", 2);
        VmStatus second = host.GetStatus("phoenix")!;
        Assert.Equal((VmState.Running, 1), (second.State, second.Restarts));
        Assert.StartsWith("running", second.Reason, StringComparison.Ordinal);
        Assert.NotEqual(first.Pid, second.Pid);

        host.Apply([]);
        await UntilAsync(() => host.GetStatuses().Count == 0);
        Assert.False(Directory.Exists($"/proc/{second.Pid}"));
        Assert.False(Directory.Exists(_directory.File("vms/phoenix")));
        Assert.Equal([".lock"], Directory.GetFileSystemEntries(_directory.File("vms")).Select(Path.GetFileName));
    }

    [Fact]
    public async Task A_VM_survives_kill_9_of_its_host_and_is_taken_over_with_its_log()
    {
        Process child = StartChild();
        string vm = _directory.File("vms/survivor");
        await UntilAsync(() => Contains(Path.Combine(vm, "console.log"), "blixard-guest: up survivor "));
        await UntilAsync(() => Contains(Path.Combine(vm, "vm.json"), "\"Running\""));
        string pid = (await File.ReadAllTextAsync(Path.Combine(vm, "qemu.pid"), _limit.Token)).Trim();
        child.Kill();
        await child.WaitForExitAsync(_limit.Token);

        await using VmHost host = await OpenAsync(_directory.Path);
        VmStatus found = host.GetStatus("survivor")!;
        Assert.Equal((VmState.Running, pid, 7L, 0), (found.State, $"{found.Pid}", found.Epoch, found.Restarts));
        host.Apply([Want("survivor") with { Epoch = 7 }]);
        Assert.Equal(1, await CountLoggedAsync(host, "blixard-guest: up survivor "));

        host.Apply([Want("survivor") with { Epoch = 7, Running = false }]);
        await UntilAsync(() => host.GetStatus("survivor")!.State == VmState.Stopped);
        VmStatus stopped = host.GetStatus("survivor")!;
        Assert.Equal(("stopped: the guest powered off when asked", pid), (stopped.Reason, $"{found.Pid}"));
        Assert.Equal(1, await CountLoggedAsync(host, "blixard-guest: down"));
        Assert.Equal(0, CountProcesses("survivor"));
    }

    [Fact]
    public async Task Kill_9_while_a_VM_starts_leaves_one_instance()
    {
        for (int round = 0; round < 4; round++)
        {
            Process child = StartChild();
            // Later in each round: before, at and after the start of the process.
            string vm = _directory.File("vms/survivor");
            string[] signs = ["vm.json", "qemu.log", "qemu.pid", "qmp.sock"];
            await UntilAsync(() => File.Exists(Path.Combine(vm, signs[round])));
            child.Kill();
            await child.WaitForExitAsync(_limit.Token);

            await using VmHost host = await OpenAsync(_directory.Path, stopGrace: TimeSpan.Zero);
            host.Apply([Want("survivor") with { Epoch = 7 }]);
            await UntilAsync(() => host.GetStatus("survivor") is { State: VmState.Running });
            Assert.Equal(1, CountProcesses("survivor"));
            host.Apply([]);
            await UntilAsync(() => host.GetStatuses().Count == 0);
            Assert.Equal(0, CountProcesses("survivor"));
        }
    }

    [Fact]
    public async Task A_process_that_nobody_knew_of_is_taken_over_instead_of_doubled()
    {
        await using VmHost host = await OpenAsync(_directory.Path, stopGrace: TimeSpan.Zero);
        string directory = Directory.CreateDirectory(_directory.File("vms/stray")).FullName;
        var driver = new QemuDriver(new QemuDriverOptions { DataDirectory = _directory.Path, Accelerator = Accelerator.Tcg, StartLimit = RealQemu.Limit });
        IVmInstance stray = await driver.StartAsync(
            new VmLaunch(Want("stray").Spec, new VmPlace("stray", directory, new ConsoleLog(directory))), _limit.Token);
        await stray.DisposeAsync();

        host.Apply([Want("stray")]);
        await UntilAsync(() => host.GetStatus("stray") is { State: VmState.Running });
        Assert.Equal((stray.Pid, "running; it had been started before"), (host.GetStatus("stray")!.Pid, host.GetStatus("stray")!.Reason));
        Assert.Equal(1, CountProcesses("stray"));
    }

    [Fact]
    public async Task Without_QEMU_a_VM_fails_with_words_that_help()
    {
        var driver = new QemuDriver(new QemuDriverOptions { DataDirectory = _directory.Path, Program = "qemu-no-such" });
        await using VmHost host = await VmHost.OpenAsync(new VmHostOptions { DataDirectory = _directory.Path }, driver, _limit.Token);
        host.Apply([Want("web")]);
        await UntilAsync(() => host.GetStatus("web") is { State: VmState.Failed });
        VmStatus failed = host.GetStatus("web")!;
        Assert.Equal("qemu-no-such is not installed (Debian: apt-get install qemu-system-x86)", failed.Reason);
        Assert.NotNull(failed.RestartAt);
    }

    [Fact]
    public async Task A_VM_in_a_deep_directory_has_its_sockets_elsewhere_and_leaves_none()
    {
        string deep = Path.Combine(_directory.Path, new string('d', 90));
        string runtime = _directory.File("run");
        var driver = new QemuDriver(new QemuDriverOptions { DataDirectory = deep, RuntimeDirectory = runtime, Accelerator = Accelerator.Tcg, StartLimit = RealQemu.Limit });
        await using VmHost host = await VmHost.OpenAsync(new VmHostOptions { DataDirectory = deep, StopGrace = TimeSpan.Zero }, driver, _limit.Token);
        host.Apply([Want("web")]);
        await UntilAsync(() => host.GetStatus("web") is { State: VmState.Running });
        Assert.Equal(2, Directory.GetFiles(runtime, "*.sock", SearchOption.AllDirectories).Length);
        host.Apply([]);
        await UntilAsync(() => host.GetStatuses().Count == 0);
        Assert.Empty(Directory.GetFileSystemEntries(runtime));
    }

    /// <summary>Not a test of its own: the host process that the tests above start and kill.</summary>
    [Fact(Explicit = true)]
    public async Task Child_process_that_hosts_a_VM_until_it_is_killed()
    {
        await using VmHost host = await OpenAsync(Environment.GetEnvironmentVariable(ChildDirectory)!);
        host.Apply([Want("survivor") with { Epoch = 7 }]);
        await Task.Delay(RealQemu.Limit, _limit.Token);
    }

    private static Process StartProcess(string directory)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        string assembly = typeof(RealVmHostTests).Assembly.Location;
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            start.ArgumentList.Add(assembly);
        foreach (string argument in new[] { "-explicit", "only", "-method", $"{typeof(RealVmHostTests).FullName}.{nameof(Child_process_that_hosts_a_VM_until_it_is_killed)}" })
            start.ArgumentList.Add(argument);
        start.Environment[ChildDirectory] = directory;
        // What the child cannot delete because it is killed goes with our directory.
        start.Environment["TMPDIR"] = directory;
        return Process.Start(start)!;
    }

    private static void Kill(int pid)
    {
        using Process process = Process.GetProcessById(pid);
        process.Kill();
    }

    private static bool Contains(string path, string text) => File.Exists(path) && File.ReadAllText(path).Contains(text, StringComparison.Ordinal);

    private static async Task<VmHost> OpenAsync(string directory, TimeSpan? stopGrace = null)
    {
        using var limit = new CancellationTokenSource(RealQemu.Limit);
        var driver = new QemuDriver(new QemuDriverOptions { DataDirectory = directory, Accelerator = Accelerator.Tcg, StartLimit = RealQemu.Limit });
        return await VmHost.OpenAsync(new VmHostOptions { DataDirectory = directory, StopGrace = stopGrace ?? RealQemu.Limit }, driver, limit.Token);
    }

    private Process StartChild()
    {
        Process child = StartProcess(_directory.Path);
        _children.Add(child);
        return child;
    }

    private int CountProcesses(string name)
    {
        string uuid = QemuPaths.UuidFor(_directory.File($"vms/{name}")).ToString("D");
        return Directory.GetDirectories("/proc").Count(path => int.TryParse(Path.GetFileName(path), out _) && HasArgument(path, uuid));
    }

    private static bool HasArgument(string process, string argument)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline")).Split('\0').Contains(argument);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private DesiredVm Want(string name) => new(new VmSpec { Name = name, KernelPath = image.KernelPath, InitramfsPath = image.InitramfsPath });

    private async Task UntilLoggedAsync(VmHost host, string text, int times)
    {
        while (host.GetStatus("phoenix") is null || await CountLoggedAsync(host, text) < times)
            await Task.Delay(50, _limit.Token);
    }

    private async Task<int> CountLoggedAsync(VmHost host, string text) =>
        await host.ReadConsoleLinesAsync(host.GetStatuses()[0].Name, follow: false, tailLines: null, _limit.Token)
            .CountAsync(line => line.Contains(text, StringComparison.Ordinal), _limit.Token);

    private async Task UntilAsync(Func<bool> condition)
    {
        while (!condition())
            await Task.Delay(5, _limit.Token);
    }
}
