using System.IO.Compression;
using System.Text;

namespace Blixard.Containers.Boot;

/// <summary>Packs what the machine needs before it has the image's files: busybox, the init script, the launcher, the kernel's modules.</summary>
internal static class Initramfs
{
    // Disks and network of QEMU's microvm machine, the power button, and the file system, unless the kernel has them itself.
    private static readonly string[] s_modules = ["evdev", "button", "virtio_mmio", "virtio_blk", "virtio_net", "ext4"];

    /// <summary>Writes it, compressed with gzip.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="program">What the machine will run.</param>
    /// <param name="guest">The kernel and what belongs to it.</param>
    /// <exception cref="ContainerImageException">The kernel, its modules or busybox cannot be used.</exception>
    /// <exception cref="IOException">A file cannot be read or written.</exception>
    public static void Write(Stream target, ContainerProgram program, GuestFiles guest)
    {
        IReadOnlyList<KernelModule> modules = KernelModules.Collect(guest.ModulesDirectory, s_modules, KernelImage.ReadVersion(guest.KernelPath));
        byte[] busybox = ReadBusybox(guest.BusyboxPath);
        using var compressed = new GZipStream(target, CompressionLevel.Optimal, leaveOpen: true);
        var archive = new CpioWriter(compressed);
        foreach (string directory in (string[])["bin", "dev", "etc", "lib", "lib/modules", "proc", "root", "run", "sbin", "sys"])
            archive.AddDirectory(directory);
        // What init has as its output before it mounts /dev.
        archive.AddCharacterDevice("dev/console", 0x180, 5, 1);
        archive.AddFile("bin/busybox", 0x1ED, busybox);
        archive.AddFile("init", 0x1ED, Resource("init.sh"));
        archive.AddFile("sbin/lease", 0x1ED, Resource("lease.sh"));
        archive.AddFile("sbin/launch", 0x1ED, Launcher.Build(program));
        archive.AddFile("etc/container", 0x1A4, Encoding.ASCII.GetBytes(Settings(program, modules)));
        foreach (KernelModule module in modules)
            archive.AddFile($"lib/modules/{module.Name}.ko", 0x1A4, module.Content);
        archive.Complete();
    }

    /// <summary>What the init script reads: assignments of the shell.</summary>
    internal static string Settings(ContainerProgram program, IReadOnlyList<KernelModule> modules) =>
        $"""
        program={Quote(program.Arguments[0])}
        signal={program.StopSignal}
        owner={program.Account.UserId}:{program.Account.GroupId}
        modules={Quote(string.Join(' ', modules.Select(static module => module.Name)))}

        """;

    // The name is for messages only: what is not plain is shown as '?'.
    private static string Quote(string text) => $"'{string.Concat(text.Select(static c => c is >= ' ' and <= '~' and not '\'' and not '\\' ? c : '?'))}'";

    private static byte[] Resource(string name)
    {
        using Stream stream = typeof(Initramfs).Assembly.GetManifestResourceStream($"Blixard.Containers.Boot.{name}")!;
        byte[] content = new byte[stream.Length];
        stream.ReadExactly(content);
        return content;
    }

    private static byte[] ReadBusybox(string path)
    {
        // Debian's has 2 MiB.
        const long LengthMax = 64 << 20;
        if (new FileInfo(path) is not { Exists: true, Length: <= LengthMax })
            throw ContainerImageException.NotFound($"there is no busybox at {path}");
        byte[] content = File.ReadAllBytes(path);
        if (!StaticElf.IsStatic(content))
            throw ContainerImageException.Unsupported($"{path} is no statically linked program for x86-64 (Debian: apt-get install busybox-static)");
        return content;
    }
}
