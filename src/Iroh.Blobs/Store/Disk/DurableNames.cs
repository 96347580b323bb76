using System.Runtime.InteropServices;

namespace Iroh.Blobs.Store.Disk;

/// <summary>Names of files that are there after a power cut.</summary>
internal static partial class DurableNames
{
    private const int OpenDirectory = 0x10000; // O_DIRECTORY
    private const int OpenCloseOnExec = 0x80000; // O_CLOEXEC

    /// <summary>Makes the names in a directory survive a power cut.</summary>
    public static void Flush(string directory)
    {
        if (OperatingSystem.IsWindows())
            return; // its file systems keep a journal of names
        int descriptor = Open(directory, OpenDirectory | OpenCloseOnExec);
        if (descriptor < 0)
            throw new IOException($"cannot open {directory} to flush it (errno {Marshal.GetLastPInvokeError()})");
        int result = Fsync(descriptor);
        int error = Marshal.GetLastPInvokeError();
        _ = Close(descriptor);
        if (result < 0)
            throw new IOException($"cannot flush {directory} (errno {error})", error);
    }

    /// <summary>Gives a file a second name on the same file system, in place of another file's.</summary>
    /// <returns>False if that cannot be done.</returns>
    public static bool TryLink(string path, string name)
    {
        string temporary = $"{name}.{Path.GetRandomFileName()}";
        if (OperatingSystem.IsWindows() || Link(path, temporary) != 0)
            return false;
        File.Move(temporary, name, overwrite: true);
        return true;
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Fsync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Link(string path, string name);
}
