namespace Blixard.MicroVm.Model;

/// <summary>What a VM consists of. Immutable; a changed specification takes effect at the VM's next start.</summary>
public sealed record VmSpec
{
    /// <summary>The least memory in MiB: Debian's cloud kernel panics below about 100 MiB, 32 leaves room for smaller kernels.</summary>
    public const int MemoryMiBMin = 32;

    /// <summary>The most memory in MiB (1 TiB): more is a slip of the finger.</summary>
    public const int MemoryMiBMax = 1 << 20;

    /// <summary>The most virtual processors: QEMU's microvm machine takes 288.</summary>
    public const int VcpusMax = 288;

    /// <summary>The most disks: the microvm machine has 24 virtio-mmio slots with ACPI; one is the network card's.</summary>
    public const int DisksMax = 16;

    /// <summary>The longest kernel command line in bytes (COMMAND_LINE_SIZE of Linux on x86 is 2048), less what the driver adds.</summary>
    public const int KernelArgumentsLengthMax = 1536;

    /// <summary>The most forwarded ports: each is a listening socket of QEMU, and whoever wants more wants something else than single ports.</summary>
    public const int PortsMax = 64;

    /// <summary>An RFC 1123 label, unique on the node (see <see cref="VmName"/>).</summary>
    public required string Name { get; init; }

    /// <summary>The path of a Linux kernel (bzImage, or an ELF image with a PVH note).</summary>
    public required string KernelPath { get; init; }

    /// <summary>The path of the initial RAM file system, or null if the kernel has its root on a disk.</summary>
    public string? InitramfsPath { get; init; }

    /// <summary>Raw disk images, attached in this order (vda, vdb, …).</summary>
    public IReadOnlyList<VmDisk> Disks { get; init; } = [];

    /// <summary>Virtual processors, 1 to <see cref="VcpusMax"/>.</summary>
    public int Vcpus { get; init; } = 1;

    /// <summary>Memory in MiB, <see cref="MemoryMiBMin"/> to <see cref="MemoryMiBMax"/>.</summary>
    public int MemoryMiB { get; init; } = 256;

    /// <summary>Words added to the end of the kernel command line.</summary>
    public IReadOnlyList<string> KernelArguments { get; init; } = [];

    /// <summary>What happens when the guest ends by itself.</summary>
    public RestartPolicy RestartPolicy { get; init; } = RestartPolicy.OnFailure;

    /// <summary>Gives the guest a network card behind QEMU's user-mode NAT (10.0.2.0/24 by DHCP, no root needed).</summary>
    public bool UserNetwork { get; init; }

    /// <summary>TCP ports of this machine that lead into the guest, at most <see cref="PortsMax"/>; they need <see cref="UserNetwork"/>.</summary>
    public IReadOnlyList<PortForward> Ports { get; init; } = [];

    /// <summary>Says what is wrong with this specification, or null if it can be started. Looks at no file.</summary>
    public string? Check()
    {
        if (VmName.Check(Name) is { } wrongName)
            return wrongName;
        if (string.IsNullOrEmpty(KernelPath))
            return "a VM needs a kernel";
        if (Vcpus is < 1 or > VcpusMax)
            return $"vcpus is {Vcpus}; 1 to {VcpusMax} are possible";
        if (MemoryMiB is < MemoryMiBMin or > MemoryMiBMax)
            return $"memory is {MemoryMiB} MiB; {MemoryMiBMin} to {MemoryMiBMax} are possible";
        if (Disks.Count > DisksMax)
            return $"the VM has {Disks.Count} disks; {DisksMax} are possible";
        if (Disks.Any(static disk => string.IsNullOrEmpty(disk.Path)))
            return "a disk needs a path";
        if (KernelArguments.Sum(static argument => argument.Length + 1) > KernelArgumentsLengthMax)
            return $"the kernel arguments are longer than {KernelArgumentsLengthMax} characters";
        if (KernelArguments.Any(static argument => argument.Any(static c => c is < ' ' or > '~')))
            return "a kernel argument consists of printable ASCII characters";
        if (Ports.Count > 0 && !UserNetwork)
            return "port forwards need the user network";
        if (Ports.Count > PortsMax)
            return $"the VM has {Ports.Count} port forwards; {PortsMax} are possible";
        return CheckPorts();
    }

    private string? CheckPorts()
    {
        var seen = new HashSet<int>();
        foreach (PortForward port in Ports)
        {
            if (port.HostPort is < 1 or > 65535 || port.GuestPort is < 1 or > 65535)
                return $"the port forward {port.HostPort}:{port.GuestPort} is outside 1 to 65535";
            if (!seen.Add(port.HostPort))
                return $"host port {port.HostPort} is forwarded twice";
        }

        return null;
    }
}

/// <summary>A raw disk image of a VM.</summary>
/// <param name="Path">The path of the image file or block device.</param>
/// <param name="ReadOnly">Whether the guest is kept from writing. A read-only image may be shared by many VMs.</param>
public sealed record VmDisk(string Path, bool ReadOnly = false);

/// <summary>A TCP port of this machine's loopback address that leads to a port of the guest.</summary>
/// <param name="HostPort">1 to 65535, on 127.0.0.1.</param>
/// <param name="GuestPort">1 to 65535.</param>
public sealed record PortForward(int HostPort, int GuestPort);

/// <summary>What happens when a guest ends without having been told to.</summary>
public enum RestartPolicy
{
    /// <summary>It stays down until somebody starts it.</summary>
    Never,

    /// <summary>It is started again unless it powered itself off in order. A reboot counts as a failure, so it is started again.</summary>
    OnFailure,

    /// <summary>It is started again however it ended.</summary>
    Always,
}
