using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Blixard.MicroVm.Console;
using Blixard.MicroVm.Drivers;
using Blixard.MicroVm.Model;
using Blixard.MicroVm.Qemu;
using Blixard.Testing.Basics;

namespace Blixard.MicroVm.Tests.Qemu;

/// <summary>Real guests on the real QEMU, one at a time.</summary>
[Collection(nameof(RealQemu))]
public sealed class QemuDriverTests(RealQemu image) : IAsyncDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly CancellationTokenSource _limit = new(RealQemu.Limit);
    private readonly List<VmPlace> _places = [];

    public async ValueTask DisposeAsync()
    {
        // VMs outlive who started them, also a test that failed.
        using var limit = new CancellationTokenSource(RealQemu.Limit);
        foreach (VmPlace place in _places)
        {
            if (await Driver().AdoptAsync(place, limit.Token) is not { } left)
                continue;
            await left.StopAsync(TimeSpan.Zero, limit.Token);
            await left.DisposeAsync();
        }

        _limit.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_guest_boots_says_its_name_and_powers_off_when_asked()
    {
        VmPlace place = Place("web-1");
        var clock = Stopwatch.StartNew();
        await using IVmInstance instance = await Driver().StartAsync(new VmLaunch(Spec("web-1"), place), _limit.Token);
        TimeSpan started = clock.Elapsed;
        await WaitForTextAsync(place.Log, "blixard-guest: up web-1 ");
        TimeSpan up = clock.Elapsed;
        VmExit exit = await instance.StopAsync(RealQemu.Limit, _limit.Token);
        TestContext.Current.SendDiagnosticMessage($"{instance.Acceleration}: started {started}, up {up}, stopped in {clock.Elapsed - up}");

        Assert.Equal(new VmExit(VmExitKind.Stopped, "stopped: the guest powered off when asked", 0), exit);
        await WaitForTextAsync(place.Log, "blixard-guest: down");
        Assert.Null(await Driver().AdoptAsync(place, _limit.Token));
        await Driver().RemoveAsync(place, _limit.Token);
        Assert.Equal(["console.log", "qemu.log"], Directory.GetFileSystemEntries(place.Directory).Select(Path.GetFileName).Order());
    }

    [Fact]
    public async Task A_console_goes_both_ways_for_one_at_a_time_and_a_guest_may_power_itself_off()
    {
        VmPlace place = Place("talk");
        await using IVmInstance instance = await Driver().StartAsync(new VmLaunch(Spec("talk"), place), _limit.Token);
        await WaitForTextAsync(place.Log, "/ # ");
        await using (ConsoleConnection console = await instance.AttachConsoleAsync(_limit.Token))
        {
            VmException e = await Assert.ThrowsAsync<VmException>(async () => await instance.AttachConsoleAsync(_limit.Token));
            Assert.Equal(VmFailure.ConsoleInUse, e.Failure);
            await console.Stream.WriteAsync("echo $((6 * 7))-seven\n"u8.ToArray(), _limit.Token);
            await WaitForTextAsync(console.Stream, "42-seven");
        }

        await WaitForTextAsync(place.Log, "42-seven");
        await using (ConsoleConnection again = await instance.AttachConsoleAsync(_limit.Token))
        {
            await again.Stream.WriteAsync("poweroff -f\n"u8.ToArray(), _limit.Token);
            Assert.Equal(new VmExit(VmExitKind.GuestPoweredOff, "the guest powered off", 0), await instance.Ended.WaitAsync(_limit.Token));
        }

        Assert.Equal(
            VmFailure.NotRunning,
            (await Assert.ThrowsAsync<VmException>(async () => await instance.AttachConsoleAsync(_limit.Token))).Failure);
    }

    [Fact]
    public async Task Disks_ports_and_a_log_that_rotates_while_the_guest_writes()
    {
        string disk = _directory.File("disk,1.img");
        await File.WriteAllBytesAsync(disk, [.. "from the host\n"u8, .. new byte[1 << 20]], _limit.Token);
        int port = FreePort.Find();
        VmSpec spec = Spec("busy") with { Disks = [new VmDisk(disk, ReadOnly: true)], UserNetwork = true, Ports = [new PortForward(port, 80)] };
        VmPlace place = Place("busy", logLengthMax: 8192);
        await using IVmInstance instance = await Driver().StartAsync(new VmLaunch(spec, place), _limit.Token);
        await WaitForTextAsync(place.Log, "blixard-guest: network 10.0.2.15/24");
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        Assert.StartsWith("hello from busy, ", await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/"), _limit.Token), StringComparison.Ordinal);

        // QEMU logs a character twice when a reader makes it wait, so nobody listens while the guest counts.
        await using (ConsoleConnection console = await instance.AttachConsoleAsync(_limit.Token))
        {
            await console.Stream.WriteAsync("head -n 1 /dev/vda; echo x >/dev/vda || echo read-on''ly; echo go''ing\n"u8.ToArray(), _limit.Token);
            string seen = await WaitForTextAsync(console.Stream, "going");
            Assert.Contains("from the host", seen, StringComparison.Ordinal);
            Assert.Contains("read-only", seen, StringComparison.Ordinal);
            await console.Stream.WriteAsync("sleep 1; seq -w 1 9999; echo fin''ished\n"u8.ToArray(), _limit.Token);
            // Only what the guest echoes has surely reached it.
            await WaitForTextAsync(console.Stream, "ished\r\n");
        }

        await WaitForTextAsync(place.Log, "finished");
        await WaitUntilAsync(() => File.Exists(place.Log.PreviousPath) && !place.Log.IsRotationDue);

        // Both files together hold the end of the sequence without a gap.
        string logged = (await File.ReadAllTextAsync(place.Log.PreviousPath, _limit.Token)) + await File.ReadAllTextAsync(place.Log.Path, _limit.Token);
        int[] numbers = [.. logged.Split("\r\n").Where(static line => line.Length == 4 && line.All(char.IsAsciiDigit)).Select(int.Parse)];
        Assert.Equal(9999, numbers[^1]);
        int gap = Enumerable.Range(0, numbers.Length).FirstOrDefault(i => numbers[i] != numbers[0] + i);
        Assert.True(gap == 0, gap == 0 ? "" : $"a gap after {numbers[gap - 1]}: {logged.AsSpan(logged.IndexOf($"{numbers[gap - 1]}", StringComparison.Ordinal), 40)}");
        Assert.Equal(VmExitKind.Stopped, (await instance.StopAsync(TimeSpan.Zero, _limit.Token)).Kind);
    }

    [Fact]
    public async Task A_port_that_another_program_has_is_named()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        int taken = ((IPEndPoint)other.LocalEndpoint).Port;
        VmSpec spec = Spec("web") with { UserNetwork = true, Ports = [new PortForward(FreePort.Find(), 80), new PortForward(taken, 8080)] };

        VmException e = await Assert.ThrowsAsync<VmException>(async () => await Driver().StartAsync(new VmLaunch(spec, Place("web")), _limit.Token));

        Assert.Equal(VmFailure.StartFailed, e.Failure);
        Assert.Equal($"127.0.0.1:{taken} of this node cannot be published: another program there has it; end that one, or publish another port", e.Message);
    }

    [Theory]
    [InlineData("-netdev user,id=network,hostfwd=tcp:127.0.0.1:8080-:80: Could not set up host forwarding rule 'tcp:127.0.0.1:8080-:80'", 8080)]
    [InlineData("Could not set up host forwarding rule 'tcp:127.0.0.1:65536-:80'", null)]
    [InlineData("Could not set up host forwarding rule 'tcp:127.0.0.1:", null)]
    [InlineData("Could not set up host forwarding rule 'udp:127.0.0.1:8080-:80'", null)]
    [InlineData("could not load kernel", null)]
    public void The_port_that_QEMU_could_not_open_is_found_in_what_it_says(string said, int? port) => Assert.Equal(port, PortTrouble.Find(said));

    [Fact]
    public async Task A_guest_that_ignores_the_request_is_ended_by_force()
    {
        VmPlace place = Place("deaf");
        // The shell alone loads no module, so nobody hears the power button, and the network card is one without a driver.
        VmSpec spec = Spec("deaf") with { KernelArguments = ["rdinit=/bin/busybox", "--", "sh"], UserNetwork = true };
        await using IVmInstance instance = await Driver().StartAsync(new VmLaunch(spec, place), _limit.Token);
        await WaitForTextAsync(place.Log, "/ #");
        VmExit exit = await instance.StopAsync(TimeSpan.FromSeconds(1.5), _limit.Token);
        Assert.Equal(new VmExit(VmExitKind.Stopped, "stopped by force: the guest did not power off within 1.5 s, QEMU quit", 0), exit);
    }

    [Fact]
    public async Task A_QEMU_that_hangs_is_killed_and_a_killed_one_is_a_crash()
    {
        VmPlace place = Place("hang");
        await using (IVmInstance instance = await Driver().StartAsync(new VmLaunch(Spec("hang"), place), _limit.Token))
        {
            await SignalAsync("STOP", instance.Pid!.Value);
            VmExit exit = await instance.StopAsync(TimeSpan.FromSeconds(0.5), _limit.Token);
            Assert.Equal(VmExitKind.Stopped, exit.Kind);
            Assert.Equal("stopped by force: the guest did not power off within 0.5 s, and QEMU had to be killed", exit.Detail);
        }

        await using IVmInstance second = await Driver().StartAsync(new VmLaunch(Spec("hang"), place), _limit.Token);
        await SignalAsync("KILL", second.Pid!.Value);
        Assert.Equal(new VmExit(VmExitKind.Crashed, "QEMU was killed by signal 9", 137), await second.Ended.WaitAsync(_limit.Token));
    }

    [Fact]
    public async Task A_running_instance_is_found_by_its_UUID_even_without_pid_file_and_a_hung_one_is_killed()
    {
        VmPlace place = Place("found");
        IVmInstance first = await Driver().StartAsync(new VmLaunch(Spec("found"), place), _limit.Token);
        int pid = first.Pid!.Value;
        VmException e = await Assert.ThrowsAsync<VmException>(async () => await Driver().StartAsync(new VmLaunch(Spec("found"), place), _limit.Token));
        Assert.Equal(VmFailure.AlreadyRunning, e.Failure);
        await first.DisposeAsync();
        Assert.False(first.Ended.IsCompleted);

        File.Delete(Path.Combine(place.Directory, "qemu.pid"));
        IVmInstance? adopted = await Driver().AdoptAsync(place, _limit.Token);
        Assert.Equal((pid, first.Acceleration), (adopted?.Pid, adopted?.Acceleration));
        await adopted!.DisposeAsync();

        await SignalAsync("STOP", pid);
        Assert.Null(await Driver().AdoptAsync(place, _limit.Token));
        await using IVmInstance again = await Driver().StartAsync(new VmLaunch(Spec("found"), place), _limit.Token);
        Assert.NotEqual(pid, again.Pid);
        await again.StopAsync(TimeSpan.Zero, _limit.Token);
    }

    [Fact]
    public async Task A_child_counts_as_alive_while_its_command_line_does_not_show_the_UUID_yet()
    {
        VmPlace place = Place("late");
        string program = _directory.File("late-qemu");
        await File.WriteAllTextAsync(
            program,
            $"#!/bin/sh\nprintf \"'%s' \" \"$@\" >{program}.args\nexec /bin/sh -c 'sleep 0.3; eval \"exec qemu-system-x86_64 $(cat {program}.args)\"'\n",
            _limit.Token);
        if (OperatingSystem.IsLinux())
            File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await using IVmInstance instance = await Driver(program).StartAsync(new VmLaunch(Spec("late"), place), _limit.Token);
        Assert.Equal(VmExitKind.Stopped, (await instance.StopAsync(TimeSpan.Zero, _limit.Token)).Kind);
    }

    [Fact]
    public async Task A_pid_file_of_somebody_else_is_not_believed()
    {
        VmPlace place = Place("other");
        await File.WriteAllTextAsync(Path.Combine(place.Directory, "qemu.pid"), Environment.ProcessId.ToString(), _limit.Token);
        Assert.Null(await Driver().AdoptAsync(place, _limit.Token));
    }

    [Fact]
    public async Task Missing_and_wrong_things_are_named()
    {
        VmPlace place = Place("bad");
        string garbage = _directory.File("garbage");
        await File.WriteAllBytesAsync(garbage, Enumerable.Repeat((byte)0x5a, 1 << 20).ToArray(), _limit.Token);

        await FailsAsync(Driver("qemu-no-such"), Spec("bad"), VmFailure.HypervisorMissing, "qemu-no-such is not installed (Debian: apt-get install qemu-system-x86)");
        await FailsAsync(Driver(), Spec("bad") with { KernelPath = "/no/kernel" }, VmFailure.FileMissing, "the kernel /no/kernel does not exist");
        await FailsAsync(Driver(), Spec("bad") with { InitramfsPath = "/no/initramfs" }, VmFailure.FileMissing, "the initramfs /no/initramfs does not exist");
        await FailsAsync(Driver(), Spec("bad") with { Disks = [new VmDisk("/no/disk")] }, VmFailure.FileMissing, "the disk /no/disk does not exist");
        await FailsAsync(Driver(), Spec("bad") with { KernelPath = garbage }, VmFailure.StartFailed, "QEMU ended at once (exit code 1): ");
        await FailsAsync(Driver(), Spec("bad") with { MemoryMiB = 0 }, VmFailure.InvalidSpec, "memory is 0 MiB");
        await FailsAsync(Driver("/bin/false"), Spec("bad"), VmFailure.StartFailed, "QEMU ended at once (exit code 1): it said nothing");

        async Task FailsAsync(QemuDriver driver, VmSpec spec, VmFailure failure, string message)
        {
            VmException e = await Assert.ThrowsAsync<VmException>(async () => await driver.StartAsync(new VmLaunch(spec, place), _limit.Token));
            Assert.Equal(failure, e.Failure);
            Assert.StartsWith(message, e.Message, StringComparison.Ordinal);
        }
    }

    private QemuDriver Driver(string program = "qemu-system-x86_64") =>
        new(new QemuDriverOptions { DataDirectory = _directory.Path, Program = program, Accelerator = Accelerator.Tcg, StartLimit = RealQemu.Limit });

    private VmPlace Place(string name, long logLengthMax = ConsoleLog.FileLengthMax)
    {
        string directory = Directory.CreateDirectory(_directory.File(name)).FullName;
        var place = new VmPlace(name, directory, new ConsoleLog(directory, logLengthMax));
        _places.Add(place);
        return place;
    }

    private VmSpec Spec(string name) => new() { Name = name, KernelPath = image.KernelPath, InitramfsPath = image.InitramfsPath };

    private async Task SignalAsync(string signal, int pid)
    {
        using Process kill = Process.Start("/bin/kill", [$"-{signal}", $"{pid}"]);
        await kill.WaitForExitAsync(_limit.Token);
        Assert.Equal(0, kill.ExitCode);
    }

    private async Task WaitUntilAsync(Func<bool> condition)
    {
        while (!condition())
            await Task.Delay(20, _limit.Token);
    }

    private async Task WaitForTextAsync(ConsoleLog log, string text)
    {
        var seen = new StringBuilder();
        long position = 0;
        byte[] buffer = new byte[4096];
        while (!seen.ToString().Contains(text, StringComparison.Ordinal))
        {
            int count = log.Read(ref position, buffer);
            seen.Append(Encoding.ASCII.GetString(buffer, 0, count));
            if (count == 0)
                await Task.Delay(20, _limit.Token);
        }
    }

    private async Task<string> WaitForTextAsync(Stream stream, string text)
    {
        var seen = new StringBuilder();
        byte[] buffer = new byte[4096];
        while (!seen.ToString().Contains(text, StringComparison.Ordinal))
        {
            int count = await stream.ReadAsync(buffer, _limit.Token);
            Assert.True(count > 0, $"the console ended before '{text}': {seen}");
            seen.Append(Encoding.ASCII.GetString(buffer, 0, count));
        }

        return seen.ToString();
    }
}
