using System.Runtime.InteropServices;
using System.Text;
using Blixard.Testing.Namespaces;
using Microsoft.Win32.SafeHandles;

namespace Blixard.Testing.NatLab;

/// <summary>
/// A network interface whose cable is this process: what the kernel sends on it is read here, what is written here the kernel receives
/// (Documentation/networking/tuntap). It goes when it is disposed. Read by one thread, written by one.
/// </summary>
internal sealed partial class TapDevice : IDisposable
{
    private const nuint SetInterface = 0x400454ca; // TUNSETIFF
    private const short TapWithoutHeader = 0x0002 | 0x1000; // IFF_TAP | IFF_NO_PI
    private const int NameLength = 16; // IFNAMSIZ
    private const int RequestLength = 40; // struct ifreq
    private const short Readable = 1; // POLLIN
    private const int OpenForBoth = 0x2; // O_RDWR

    // A program started meanwhile must not inherit the device: it would live as long as the program.
    private const int OpenCloseOnExec = 0x80000; // O_CLOEXEC

    private readonly SafeFileHandle _handle;

    private TapDevice(SafeFileHandle handle) => _handle = handle;

    /// <summary>Makes an interface in a namespace. It is down.</summary>
    public static Task<TapDevice> CreateAsync(string networkNamespace, string name) => NetworkNamespace.RunAsync(networkNamespace, () =>
    {
        SafeFileHandle handle = Open("/dev/net/tun", OpenForBoth | OpenCloseOnExec);
        if (handle.IsInvalid)
            throw new LabException($"/dev/net/tun cannot be opened: error {Marshal.GetLastPInvokeError()}");
        Span<byte> request = stackalloc byte[RequestLength];
        request.Clear();
        Encoding.ASCII.GetBytes(name, request[..(NameLength - 1)]);
        MemoryMarshal.Write(request[NameLength..], TapWithoutHeader);
        if (Control(handle, SetInterface, ref MemoryMarshal.GetReference(request)) == 0)
            return new TapDevice(handle);
        handle.Dispose();
        throw new LabException($"the interface {name} cannot be made in {networkNamespace}: error {Marshal.GetLastPInvokeError()}");
    });

    /// <summary>Waits for a frame for a while and reads it; 0 if none came or the interface is down.</summary>
    public int Read(Span<byte> frame, int timeoutMilliseconds)
    {
        var wait = new PollEntry { Descriptor = (int)_handle.DangerousGetHandle(), Events = Readable };
        return Poll(ref wait, 1, timeoutMilliseconds) > 0
            ? (int)Math.Max(0, Read(_handle, ref MemoryMarshal.GetReference(frame), (nuint)frame.Length))
            : 0;
    }

    /// <summary>Hands a frame to the kernel, which drops it when the interface is down.</summary>
    public void Write(ReadOnlySpan<byte> frame) => _ = Write(_handle, ref MemoryMarshal.GetReference(frame), (nuint)frame.Length);

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Control(SafeFileHandle handle, nuint request, ref byte argument);

    [LibraryImport("libc", EntryPoint = "poll")]
    private static partial int Poll(ref PollEntry entries, nuint count, int timeoutMilliseconds);

    [LibraryImport("libc", EntryPoint = "read")]
    private static partial nint Read(SafeFileHandle handle, ref byte buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "write")]
    private static partial nint Write(SafeFileHandle handle, ref readonly byte buffer, nuint count);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollEntry
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }
}
