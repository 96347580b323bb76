using System.Diagnostics;
using Blixard.MicroVm.Qemu;

namespace Blixard.MicroVm.Tests.Qemu;

public sealed class AccelerationProbeTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly CancellationTokenSource _limit = new(RealQemu.Limit);

    private string CallsPath => _directory.File("calls");

    public void Dispose()
    {
        _limit.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task The_probe_guest_gets_to_its_end_where_guests_run()
    {
        string image = _directory.File("probe.rom");
        await File.WriteAllBytesAsync(image, ProbeGuest.BuildImage(), _limit.Token);
        using Process qemu = Process.Start("qemu-system-x86_64", ProbeGuest.Arguments("tcg", image));
        await qemu.WaitForExitAsync(_limit.Token);
        Assert.Equal(ProbeGuest.ExitCodeDone, qemu.ExitCode);
    }

    [Fact]
    public async Task Whatever_this_machine_offers_is_found_and_kept()
    {
        var driver = new QemuDriver(new QemuDriverOptions { DataDirectory = _directory.Path });
        Acceleration found = await driver.GetAccelerationAsync(_limit.Token);
        Assert.StartsWith(found.Accelerator == Accelerator.Kvm ? "KVM: a probe guest ran" : "", found.Explanation, StringComparison.Ordinal);
        Assert.Equal(found.Accelerator == Accelerator.Tcg, found.Explanation.EndsWith("; using TCG (slower)", StringComparison.Ordinal));
        Assert.Equal(File.Exists("/dev/kvm"), File.Exists(_directory.File("acceleration.json")));
        Assert.Empty(Directory.GetFiles(_directory.Path, "*.rom"));
    }

    [Fact]
    public async Task Without_the_device_nothing_is_tried()
    {
        Acceleration found = await new AccelerationProbe(FakeQemu("exit 85"), _directory.Path, "/dev/no-such").GetAsync(_limit.Token);
        Assert.Equal(new Acceleration(Accelerator.Tcg, "there is no /dev/no-such; using TCG (slower)"), found);
        Assert.False(File.Exists(CallsPath));
    }

    [Fact]
    public async Task A_guest_that_ran_means_KVM_and_is_run_once_per_version()
    {
        string qemu = FakeQemu("exit 85");
        Acceleration found = await Probe(qemu).GetAsync(_limit.Token);
        Assert.Equal(new Acceleration(Accelerator.Kvm, "KVM: a probe guest ran"), found);
        Assert.Equal(found, await Probe(qemu).GetAsync(_limit.Token));
        Assert.Equal(1, await CountProbesAsync());

        FakeQemu("exit 85", version: 2);
        Assert.Equal(found, await Probe(qemu).GetAsync(_limit.Token));
        Assert.Equal(2, await CountProbesAsync());
    }

    [Fact]
    public async Task What_QEMU_says_is_passed_on()
    {
        Acceleration found = await Probe(FakeQemu("echo 'failed to set MSR 0x10a to 0x69' >&2; exit 134")).GetAsync(_limit.Token);
        Assert.Equal(
            new Acceleration(Accelerator.Tcg, "KVM is there but QEMU could not run a probe guest with it: failed to set MSR 0x10a to 0x69; using TCG (slower)"),
            found);
    }

    [Fact]
    public async Task A_guest_that_hangs_is_given_three_seconds()
    {
        Acceleration found = await Probe(FakeQemu("exec tail -f /dev/null")).GetAsync(_limit.Token);
        Assert.Equal(new Acceleration(Accelerator.Tcg, "KVM is there but a probe guest did not get through within 3 s; using TCG (slower)"), found);
    }

    [Fact]
    public async Task A_damaged_answer_is_found_anew()
    {
        string qemu = FakeQemu("exit 85");
        await File.WriteAllTextAsync(_directory.File("acceleration.json"), "{\"Key\":", _limit.Token);
        Assert.Equal(Accelerator.Kvm, (await Probe(qemu).GetAsync(_limit.Token)).Accelerator);
        Assert.Equal(1, await CountProbesAsync());
    }

    /// <summary>A file that opens stands for the device.</summary>
    private AccelerationProbe Probe(string qemu)
    {
        string device = _directory.File("kvm");
        File.WriteAllText(device, "");
        return new AccelerationProbe(qemu, _directory.Path, device);
    }

    private string FakeQemu(string behaviour, int version = 1)
    {
        string path = _directory.File("qemu");
        // Written anew under another name: a script that was just executed may be busy.
        string script = path + ".new";
        File.WriteAllText(script, $"#!/bin/sh\n[ \"$1\" = --version ] && {{ echo version {version}; exit 0; }}\necho probe >>{CallsPath}\n{behaviour}\n");
        if (OperatingSystem.IsLinux())
            File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        File.Move(script, path, overwrite: true);
        return path;
    }

    private async Task<int> CountProbesAsync() => (await File.ReadAllLinesAsync(CallsPath, _limit.Token)).Length;
}
