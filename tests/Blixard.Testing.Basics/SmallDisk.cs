using System.Diagnostics;

namespace Blixard.Testing.Basics;

/// <summary>A file system of a few MiB, for tests of a full disk. Needs root.</summary>
public sealed class SmallDisk : IDisposable
{
    private SmallDisk(string root) => Root = root;

    public string Root { get; }

    public static SmallDisk? TryMount(int mebibytes)
    {
        string root = Directory.CreateTempSubdirectory("blixard-small-disk-").FullName;
        if (Run("mount", "-t", "tmpfs", "-o", $"size={mebibytes}m", "tmpfs", root))
            return new SmallDisk(root);
        Directory.Delete(root);
        return null;
    }

    public void Dispose()
    {
        Assert.True(Run("umount", Root), $"{Root} stays mounted");
        Directory.Delete(Root);
    }

    private static bool Run(string program, params string[] arguments)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
