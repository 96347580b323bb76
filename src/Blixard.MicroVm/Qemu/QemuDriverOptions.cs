using Blixard.MicroVm.Guarding;

namespace Blixard.MicroVm.Qemu;

/// <summary>How QEMU is used on this machine.</summary>
public sealed record QemuDriverOptions
{
    /// <summary>The directory for what the driver itself keeps (the acceleration that was found); created when missing.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>The QEMU program: a path, or a name that is looked up in PATH.</summary>
    public string Program { get; init; } = "qemu-system-x86_64";

    /// <summary>Where sockets go if a VM's directory is too deep for them (the limit is 107 bytes).</summary>
    public string RuntimeDirectory { get; init; } = QemuPaths.DefaultRuntimeDirectory();

    /// <summary>Ends guarded VMs at their deadline; null: none can be started.</summary>
    public VmGuard? Guard { get; init; }

    /// <summary>Uses this accelerator without probing; null probes.</summary>
    public Accelerator? Accelerator { get; init; }

    /// <summary>How long QEMU may take until it answers on its control socket. It takes 0.1 s; a machine short of memory takes longer.</summary>
    public TimeSpan StartLimit { get; init; } = TimeSpan.FromSeconds(20);
}
