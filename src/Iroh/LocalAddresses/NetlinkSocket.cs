using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Iroh.LocalAddresses;

/// <summary>
/// A socket on which Linux tells of changes of interfaces, addresses and routes (rtnetlink(7)). What exactly changed is not read from
/// it: whoever listens looks at the whole anew.
/// </summary>
[SupportedOSPlatform("linux")]
internal static partial class NetlinkSocket
{
    private const int FamilyNetlink = 16, TypeRaw = 3, CloseOnExec = 0x80000, NonBlocking = 0x800, ProtocolRoute = 0;

    // RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE
    private const uint Groups = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

    /// <summary>Opens the socket; null where the system does not allow it (a sandbox).</summary>
    public static Socket? TryOpen()
    {
        int descriptor = CreateSocket(FamilyNetlink, TypeRaw | CloseOnExec | NonBlocking, ProtocolRoute);
        if (descriptor < 0)
            return null;
        var handle = new SafeSocketHandle(descriptor, ownsHandle: true);
        var address = new NetlinkAddress { Family = FamilyNetlink, Groups = Groups };
        if (Bind(handle, ref address, Marshal.SizeOf<NetlinkAddress>()) == 0)
            return new Socket(handle);
        handle.Dispose();
        return null;
    }

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int CreateSocket(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    private static partial int Bind(SafeSocketHandle socket, ref NetlinkAddress address, int length);

    // struct sockaddr_nl; port id 0 lets the kernel choose one.
    [StructLayout(LayoutKind.Sequential)]
    private struct NetlinkAddress
    {
        public ushort Family;
        public ushort Padding;
        public uint PortId;
        public uint Groups;
    }
}
