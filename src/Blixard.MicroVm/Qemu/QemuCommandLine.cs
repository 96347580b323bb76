using System.Globalization;
using Blixard.MicroVm.Model;

namespace Blixard.MicroVm.Qemu;

/// <summary>The arguments with which QEMU 7.2 or newer runs a VM. A pure function: no file is looked at.</summary>
internal static class QemuCommandLine
{
    /// <summary>
    /// The frequency given to Linux under TCG. Without it the kernel calibrates its time stamp counter against emulated timers,
    /// which under a busy host never agree: about a fifth of the boots hung there.
    /// </summary>
    private const string EarlyTimeStampCounter = "tsc_early_khz=2600000";

    /// <summary>Builds the arguments, without the program's name.</summary>
    public static IReadOnlyList<string> Build(VmSpec spec, Accelerator accelerator, QemuPaths paths, Guid uuid)
    {
        string accelerationName = accelerator == Accelerator.Kvm ? "kvm" : "tcg";
        List<string> arguments =
        [
            "-name", Escape(spec.Name),
            "-uuid", uuid.ToString("D"),
            // acpi=on brings the power button, by which a guest is asked to go down, and a way to power off.
            "-machine", $"microvm,accel={accelerationName},acpi=on",
            "-cpu", "max",
            "-smp", Number(spec.Vcpus),
            "-m", $"size={Number(spec.MemoryMiB)}M",
            "-nodefaults", "-no-user-config",
            // A reset ends the process, so that the restart policy decides and not the guest.
            "-no-reboot",
            "-display", "none",
            "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
            // QEMU holds a lock on this file: a second process for the same VM ends at once.
            "-pidfile", paths.PidFile,
            "-qmp", $"unix:{Escape(paths.QmpSocket)},server=on,wait=off",
            "-chardev", $"socket,id=console,path={Escape(paths.ConsoleSocket)},server=on,wait=off,logfile={Escape(paths.ConsoleLog)},logappend=on",
            "-serial", "chardev:console",
            "-kernel", spec.KernelPath,
        ];
        if (spec.InitramfsPath is not null)
            arguments.AddRange(["-initrd", spec.InitramfsPath]);
        arguments.AddRange(["-append", KernelCommandLine(spec, accelerator)]);
        AddDisks(arguments, spec);
        AddNetwork(arguments, spec);
        return arguments;
    }

    private static string KernelCommandLine(VmSpec spec, Accelerator accelerator)
    {
        List<string> words = ["console=ttyS0", "panic=-1", "quiet"];
        if (accelerator == Accelerator.Tcg)
            words.Add(EarlyTimeStampCounter);
        // The name that systemd takes from the command line (systemd(1), kernel command line); the busybox guest does the same.
        words.Add($"systemd.hostname={spec.Name}");
        words.AddRange(spec.KernelArguments);
        return string.Join(' ', words);
    }

    private static void AddDisks(List<string> arguments, VmSpec spec)
    {
        for (int i = 0; i < spec.Disks.Count; i++)
        {
            VmDisk disk = spec.Disks[i];
            string readOnly = disk.ReadOnly ? "on" : "off";
            arguments.AddRange(
            [
                "-drive", $"if=none,id=disk{Number(i)},format=raw,read-only={readOnly},file={Escape(disk.Path)}",
                "-device", $"virtio-blk-device,drive=disk{Number(i)}",
            ]);
        }
    }

    private static void AddNetwork(List<string> arguments, VmSpec spec)
    {
        if (!spec.UserNetwork)
            return;
        string forwards = string.Concat(spec.Ports.Select(static port =>
            $",hostfwd=tcp:127.0.0.1:{Number(port.HostPort)}-:{Number(port.GuestPort)}"));
        arguments.AddRange(["-netdev", "user,id=network" + forwards, "-device", "virtio-net-device,netdev=network"]);
    }

    /// <summary>A comma separates options; a doubled one is a comma.</summary>
    private static string Escape(string value) => value.Replace(",", ",,", StringComparison.Ordinal);

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
