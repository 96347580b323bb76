using System.Globalization;
using System.Runtime.InteropServices;

namespace Iroh.Gossip.Network;

/// <summary>
/// Has the kernel drop datagrams that a UDP socket of this process would receive (SO_ATTACH_FILTER, which needs no rights): they are lost without a
/// word, as on a cable that was cut, and neither end can tell.
/// </summary>
internal static partial class DatagramFilter
{
    /// <summary>Ports that a filter names, at most: a jump of the filter's language reaches 255 instructions.</summary>
    public const int PortsMax = 200;

    private const int SolSocket = 1, SoType = 3, SoAttachFilter = 26, SockDgram = 2, AfInet = 2, AddressLengthMax = 128;

    private const ushort LoadHalf = 0x28, LoadWord = 0x20, JumpIfEqual = 0x15, JumpIfNotLess = 0x35, Return = 0x06;

    // A random number as the filter's language has it: an address below nothing.
    private const uint RandomNumber = unchecked((uint)(-0x1000 + 56));

    /// <summary>The descriptor of the UDP socket of this process that is bound to an IPv4 port.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public static int FindSocket(int localPort)
    {
        foreach (string path in Directory.EnumerateFileSystemEntries("/proc/self/fd"))
        {
            // Those that are no sockets, or closed meanwhile, have no name.
            int descriptor = int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture);
            if (IsDatagramSocket(descriptor) && FindPort(descriptor) == localPort)
                return descriptor;
        }

        throw new InvalidOperationException($"No socket of this process is bound to UDP port {localPort}.");
    }

    /// <summary>Replaces what a socket drops.</summary>
    /// <param name="socket">What <see cref="FindSocket"/> found; it must not have been closed since.</param>
    /// <param name="from">What comes from these ports is dropped; at most <see cref="PortsMax"/>.</param>
    /// <param name="lossPercent">So many of a hundred of all others are dropped, too, at random.</param>
    /// <exception cref="InvalidOperationException">The kernel refuses.</exception>
    public static unsafe void Set(int socket, IReadOnlyCollection<int> from, int lossPercent)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(from.Count, PortsMax);
        Instruction[] instructions = Write([.. from], lossPercent);
        fixed (Instruction* first = instructions)
        {
            var program = new Program { Count = (ushort)instructions.Length, First = first };
            if (SetSocketOption(socket, SolSocket, SoAttachFilter, &program, (uint)sizeof(Program)) != 0)
                throw new InvalidOperationException($"The filter of socket {socket} is refused with error {Marshal.GetLastPInvokeError()}.");
        }
    }

    private static Instruction[] Write(int[] from, int lossPercent)
    {
        // What a filter of UDP sees begins with the UDP header, and that with the source port.
        List<Instruction> written = [new(LoadHalf, 0, 0, 0)];
        int end = from.Length + 3;
        foreach (int port in from)
            written.Add(new Instruction(JumpIfEqual, (byte)(end - written.Count), 0, (uint)port));
        written.Add(new Instruction(LoadWord, 0, 0, RandomNumber));
        written.Add(new Instruction(JumpIfNotLess, 0, 1, (uint)(uint.MaxValue * (long)lossPercent / 100)));
        written.Add(new Instruction(Return, 0, 0, uint.MaxValue));
        written.Add(new Instruction(Return, 0, 0, 0));
        return [.. written];
    }

    private static unsafe bool IsDatagramSocket(int descriptor)
    {
        int type;
        uint length = sizeof(int);
        return GetSocketOption(descriptor, SolSocket, SoType, &type, &length) == 0 && type == SockDgram;
    }

    private static unsafe int? FindPort(int descriptor)
    {
        // struct sockaddr_in: family in the order of the machine, port in that of the network.
        byte* name = stackalloc byte[AddressLengthMax];
        uint length = AddressLengthMax;
        if (GetSocketName(descriptor, name, &length) != 0 || *(ushort*)name != AfInet)
            return null;
        return (name[2] << 8) | name[3];
    }

    [LibraryImport("libc", EntryPoint = "getsockname", SetLastError = true)]
    private static unsafe partial int GetSocketName(int socket, byte* name, uint* length);

    [LibraryImport("libc", EntryPoint = "getsockopt", SetLastError = true)]
    private static unsafe partial int GetSocketOption(int socket, int level, int name, void* value, uint* length);

    [LibraryImport("libc", EntryPoint = "setsockopt", SetLastError = true)]
    private static unsafe partial int SetSocketOption(int socket, int level, int name, void* value, uint length);

    /// <summary><c>struct sock_filter</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Instruction(ushort Code, byte IfTrue, byte IfFalse, uint Operand);

    /// <summary><c>struct sock_fprog</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private unsafe struct Program
    {
        public ushort Count;
        public Instruction* First;
    }
}
