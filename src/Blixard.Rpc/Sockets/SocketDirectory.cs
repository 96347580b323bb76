using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Blixard.Rpc.Sockets;

/// <summary>
/// An open directory whose sockets can be reached however deep it lies: a path that does not fit into a socket's address is replaced by one
/// through this process's open directory, in <c>/proc/self/fd</c>. Thread-safe; paths are valid until it is disposed, in this process.
/// </summary>
public sealed partial class SocketDirectory : IDisposable
{
    // open(2): only to name it, not inherited by children. Both are the same on every processor that .NET runs on.
    private const int OpenPath = 0x200000;
    private const int OpenCloseOnExec = 0x80000;

    private readonly SafeFileHandle _handle;
    private readonly string _link;

    private SocketDirectory(SafeFileHandle handle, string link, string fullPath)
    {
        _handle = handle;
        _link = link;
        FullPath = fullPath;
    }

    /// <summary>The directory's path, absolute and without symbolic links.</summary>
    public string FullPath { get; }

    /// <summary>Opens a directory that exists.</summary>
    /// <exception cref="IOException">It cannot be opened, or is no directory.</exception>
    public static SocketDirectory Open(string directory)
    {
        // Only a directory has an entry ".". (O_DIRECTORY says the same, by a number that differs between processors.)
        // The descriptor's number is this directory's name for as long as it is open; O_PATH descriptors cannot be read or written.
        int descriptor = Open(Path.Combine(directory, "."), OpenPath | OpenCloseOnExec);
        if (descriptor < 0)
            throw new IOException($"{directory} cannot be opened: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
        var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        string link = $"/proc/self/fd/{descriptor.ToString(CultureInfo.InvariantCulture)}";
        string? path = new FileInfo(link).LinkTarget;
        if (path is not null)
            return new SocketDirectory(handle, link, path);
        handle.Dispose();
        throw new IOException("/proc is needed, and is not mounted");
    }

    /// <summary>The path by which this process reaches <paramref name="name"/>.</summary>
    /// <exception cref="ObjectDisposedException">The directory is closed.</exception>
    public string PathOf(string name)
    {
        ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
        string path = Path.Combine(FullPath, name);
        return Encoding.UTF8.GetByteCount(path) <= UnixSocketAddress.PathBytesMax ? path : $"{_link}/{name}";
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Open(string path, int flags);
}
