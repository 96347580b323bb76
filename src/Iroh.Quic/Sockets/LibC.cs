using System.Runtime.InteropServices;

namespace Iroh.Quic.Sockets;

/// <summary>
/// The socket calls of 64-bit Linux that the class library does not offer: batches of datagrams, control messages and a wait
/// on two descriptors. Everything that crosses into libc is in this file.
/// </summary>
internal static unsafe partial class LibC
{
    public const int AF_INET = 2, AF_INET6 = 10;
    public const int SOCK_DGRAM = 2, SOCK_NONBLOCK = 0x800, SOCK_CLOEXEC = 0x80000;
    public const int MSG_DONTWAIT = 0x40, MSG_CTRUNC = 0x08, MSG_TRUNC = 0x20;
    public const int EFD_NONBLOCK = 0x800, EFD_CLOEXEC = 0x80000;
    public const short POLLIN = 0x001, POLLOUT = 0x004;

    public const int SOL_SOCKET = 1, SO_SNDBUF = 7, SO_RCVBUF = 8, SO_SNDBUFFORCE = 32, SO_RCVBUFFORCE = 33;
    public const int SOL_IP = 0, IP_TOS = 1, IP_PKTINFO = 8, IP_MTU_DISCOVER = 10, IP_RECVTOS = 13, IP_PMTUDISC_PROBE = 3;
    public const int SOL_IPV6 = 41, IPV6_MTU_DISCOVER = 23, IPV6_V6ONLY = 26, IPV6_RECVPKTINFO = 49, IPV6_PKTINFO = 50;
    public const int IPV6_DONTFRAG = 62, IPV6_RECVTCLASS = 66, IPV6_TCLASS = 67, IPV6_PMTUDISC_PROBE = 3;
    public const int SOL_UDP = 17, UDP_SEGMENT = 103, UDP_GRO = 104;

    public const int EPERM = 1, EINTR = 4, EIO = 5, EAGAIN = 11, EACCES = 13, EINVAL = 22, EMSGSIZE = 90;
    public const int EAFNOSUPPORT = 97, EADDRINUSE = 98, EADDRNOTAVAIL = 99, ENOBUFS = 105;

    /// <summary><c>struct iovec</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct IoVector
    {
        public void* Base;
        public nuint Length;
    }

    /// <summary><c>struct msghdr</c> of a 64-bit system.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct MessageHeader
    {
        public void* Name;
        public uint NameLength;
        public IoVector* Vectors;
        public nuint VectorCount;
        public void* Control;
        public nuint ControlLength;
        public int Flags;
    }

    /// <summary><c>struct mmsghdr</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct MultiMessageHeader
    {
        public MessageHeader Header;
        public uint Length;
    }

    /// <summary><c>struct cmsghdr</c>; its data follows, padded to 8 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct ControlHeader
    {
        public nuint Length;
        public int Level;
        public int Type;
    }

    /// <summary><c>struct pollfd</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct PollDescriptor
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }

    /// <summary><c>struct timespec</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct TimeSpecification
    {
        public long Seconds;
        public long Nanoseconds;
    }

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    public static partial int Socket(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    public static partial int Bind(FileDescriptor socket, byte* address, uint length);

    [LibraryImport("libc", EntryPoint = "getsockname", SetLastError = true)]
    public static partial int GetSocketName(FileDescriptor socket, byte* address, uint* length);

    [LibraryImport("libc", EntryPoint = "setsockopt", SetLastError = true)]
    public static partial int SetSocketOption(FileDescriptor socket, int level, int name, int* value, uint length);

    [LibraryImport("libc", EntryPoint = "sendmsg", SetLastError = true)]
    public static partial nint SendMessage(FileDescriptor socket, MessageHeader* message, int flags);

    [LibraryImport("libc", EntryPoint = "recvmmsg", SetLastError = true)]
    public static partial int ReceiveMessages(
        FileDescriptor socket, MultiMessageHeader* messages, uint count, int flags, TimeSpecification* timeout);

    [LibraryImport("libc", EntryPoint = "ppoll", SetLastError = true)]
    public static partial int Poll(PollDescriptor* descriptors, nuint count, TimeSpecification* timeout, void* signalMask);

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    public static partial int EventDescriptor(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    public static partial nint Read(FileDescriptor descriptor, void* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    public static partial nint Write(FileDescriptor descriptor, void* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int CloseDescriptor(int descriptor);

    /// <summary>
    /// A descriptor that is closed once, and not before the last call that uses it has returned: a number that the kernel gave
    /// to somebody else in the meantime is never used.
    /// </summary>
    public sealed class FileDescriptor : SafeHandle
    {
        /// <summary>Takes over <paramref name="descriptor"/>.</summary>
        public FileDescriptor(int descriptor)
            : base(-1, ownsHandle: true) => SetHandle(descriptor);

        /// <inheritdoc/>
        public override bool IsInvalid => handle == -1;

        /// <inheritdoc/>
        protected override bool ReleaseHandle() => CloseDescriptor((int)handle) == 0;
    }
}
