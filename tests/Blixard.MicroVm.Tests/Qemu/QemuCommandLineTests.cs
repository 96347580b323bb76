using Blixard.MicroVm.Console;
using Blixard.MicroVm.Drivers;
using Blixard.MicroVm.Model;
using Blixard.MicroVm.Qemu;

namespace Blixard.MicroVm.Tests.Qemu;

public sealed class QemuCommandLineTests
{
    private const string Common =
        "-name web -uuid 00010203-0405-8607-8809-0a0b0c0d0e0f -machine microvm,accel=ACCEL,acpi=on -cpu max -smp 1 -m size=256M -nodefaults -no-user-config " +
        "-no-reboot -display none -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny -pidfile /d/web/qemu.pid " +
        "-qmp unix:/d/web/qmp.sock,server=on,wait=off " +
        "-chardev socket,id=console,path=/d/web/console.sock,server=on,wait=off,logfile=/d/web/console.log,logappend=on " +
        "-serial chardev:console -kernel /k";

    private static readonly Guid Uuid = new("00010203-0405-8607-8809-0a0b0c0d0e0f");
    private static readonly VmSpec Spec = new() { Name = "web", KernelPath = "/k" };

    [Fact]
    public void A_plain_VM_under_KVM() =>
        Assert.Equal(
            Common.Replace("ACCEL", "kvm") + " -append console=ttyS0 panic=-1 quiet systemd.hostname=web",
            Build(Spec, Accelerator.Kvm));

    [Fact]
    public void Under_TCG_the_kernel_is_told_the_frequency_of_its_clock() =>
        Assert.Equal(
            Common.Replace("ACCEL", "tcg") + " -initrd /i -append console=ttyS0 panic=-1 quiet tsc_early_khz=2600000 systemd.hostname=web a=b c",
            Build(Spec with { InitramfsPath = "/i", KernelArguments = ["a=b", "c"] }, Accelerator.Tcg));

    [Fact]
    public void Disks_network_and_ports_follow_in_order() =>
        Assert.Equal(
            Common.Replace("ACCEL", "kvm").Replace("-smp 1 -m size=256M", "-smp 4 -m size=1024M")
            + " -append console=ttyS0 panic=-1 quiet systemd.hostname=web"
            + " -drive if=none,id=disk0,format=raw,read-only=on,file=/base.img -device virtio-blk-device,drive=disk0"
            + " -drive if=none,id=disk1,format=raw,read-only=off,file=/with,,comma -device virtio-blk-device,drive=disk1"
            + " -netdev user,id=network,hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=tcp:127.0.0.1:2222-:22 -device virtio-net-device,netdev=network",
            Build(
                Spec with
                {
                    Vcpus = 4,
                    MemoryMiB = 1024,
                    Disks = [new VmDisk("/base.img", ReadOnly: true), new VmDisk("/with,comma")],
                    UserNetwork = true,
                    Ports = [new PortForward(8080, 80), new PortForward(2222, 22)],
                },
                Accelerator.Kvm));

    [Fact]
    public void Sockets_of_a_deep_directory_go_to_the_runtime_directory()
    {
        string deep = "/" + new string('d', 100) + "/vms/web";
        QemuPaths paths = QemuPaths.For(Place(deep), "/run/blixard");
        Assert.Matches("^/run/blixard/[0-9a-f]{16}/qmp.sock$", paths.QmpSocket);
        Assert.Equal(Path.GetDirectoryName(paths.QmpSocket), paths.SocketDirectory);
        Assert.Equal(deep + "/qemu.pid", paths.PidFile);
        Assert.NotEqual(paths.QmpSocket, QemuPaths.For(Place(deep + "2"), "/run/blixard").QmpSocket);
    }

    [Fact]
    public void A_socket_path_of_exactly_107_bytes_fits()
    {
        string directory = "/" + new string('d', 107 - 1 - "/console.sock".Length);
        Assert.Null(QemuPaths.For(Place(directory), "/run/blixard").SocketDirectory);
        Assert.NotNull(QemuPaths.For(Place(directory + "d"), "/run/blixard").SocketDirectory);
        // 53 characters of two bytes each are as long.
        Assert.NotNull(QemuPaths.For(Place("/" + new string('ä', 53)), "/run/blixard").SocketDirectory);
    }

    [Fact]
    public void A_runtime_directory_that_is_too_deep_as_well_is_an_error_in_words()
    {
        string deep = "/" + new string('d', 100);
        VmException e = Assert.Throws<VmException>(() => QemuPaths.For(Place(deep), deep));
        Assert.Equal(VmFailure.DirectoryUnusable, e.Failure);
        Assert.Contains("too long for a socket", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_UUID_follows_from_the_directory_and_is_of_version_8()
    {
        Guid uuid = QemuPaths.UuidFor("/d/web");
        Assert.Equal(uuid, QemuPaths.UuidFor("/d/web"));
        Assert.NotEqual(uuid, QemuPaths.UuidFor("/d/web2"));
        Assert.Equal(8, uuid.Version);
        Assert.InRange(uuid.Variant, 8, 11);
    }

    private static VmPlace Place(string directory) => new("web", directory, new ConsoleLog(directory));

    private static string Build(VmSpec spec, Accelerator accelerator) =>
        string.Join(' ', QemuCommandLine.Build(spec, accelerator, QemuPaths.For(Place("/d/web"), "/run"), Uuid));
}
