using System.Runtime.InteropServices;

namespace Blixard.Node.Storage;

/// <summary>What it takes for a file to be there after a crash: its bytes on the disk before its name, its name on the disk after.</summary>
internal static partial class DurableFiles
{
    private const int OpenDirectory = 0x10000; // O_DIRECTORY
    private const int OpenCloseOnExec = 0x80000; // O_CLOEXEC

    /// <summary>Makes the names in a directory survive a power cut.</summary>
    public static void FlushDirectory(string path)
    {
        int descriptor = Open(path, OpenDirectory | OpenCloseOnExec);
        if (descriptor < 0)
            throw new IOException($"cannot open {path} to flush it (errno {Marshal.GetLastPInvokeError()})");
        int result = Fsync(descriptor);
        int error = Marshal.GetLastPInvokeError();
        _ = Close(descriptor);
        if (result < 0)
            throw new IOException($"cannot flush {path} (errno {error})", error);
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
}
