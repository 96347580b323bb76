namespace Blixard.Containers;

/// <summary>The kernel that a container image boots with, and what belongs to it. <c>build/guest-image.sh</c> puts these into one directory.</summary>
/// <param name="KernelPath">A bzImage for x86-64.</param>
/// <param name="ModulesDirectory">Its modules, uncompressed, at any depth; with <c>modules.builtin</c> if the kernel has some of them itself.</param>
/// <param name="BusyboxPath">A static busybox for x86-64.</param>
public sealed record GuestFiles(string KernelPath, string ModulesDirectory, string BusyboxPath)
{
    /// <summary>The files as <c>build/guest-image.sh</c> names them in a directory. Whether they exist is found out when they are used.</summary>
    public static GuestFiles In(string directory) =>
        new(Path.Combine(directory, "vmlinuz"), Path.Combine(directory, "modules"), Path.Combine(directory, "busybox"));
}
