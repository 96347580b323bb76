using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Blixard.Rpc.Sockets;

/// <summary>
/// Waits for bytes on any number of sockets with one thread, and continues whoever awaits them on that very thread: the class
/// library's way costs a second change of threads, which matters where a connection is only passed on. What is continued there must
/// do little and never block. Linux only; one for the process, whose thread lives as long.
/// </summary>
internal sealed unsafe partial class SocketPoller
{
    private const int AddDescriptor = 1, RemoveDescriptor = 2;
    private const uint Readable = 0x1, Broken = 0x8, HungUp = 0x10, PeerHungUp = 0x2000, Edge = 1u << 31;
    private const int CloseOnExec = 0x80000;
    private const int Interrupted = 4;

    // More are taken at the next turn.
    private const int EventsMax = 64;

    private static readonly Lazy<SocketPoller?> s_shared = new(TryCreate);

    // struct epoll_event is packed on x86-64 and on no other processor.
    private static readonly int s_eventLength = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;
    private static readonly int s_dataOffset = s_eventLength - 8;

    private readonly int _descriptor;
    private readonly ConcurrentDictionary<long, PolledSocket> _sockets = new();
    private long _lastNumber;

    private SocketPoller(int descriptor) => _descriptor = descriptor;

    /// <summary>The poller of this process; null where there is none.</summary>
    public static SocketPoller? Shared => s_shared.Value;

    /// <summary>Adds a socket. From now on <see cref="PolledSocket.Continue"/> is called each time that something came, or that it
    /// ended: nothing has to be asked for again.</summary>
    /// <returns>The number by which it is known here.</returns>
    /// <exception cref="IOException">The kernel refused.</exception>
    public long Add(PolledSocket socket, SafeFileHandle descriptor)
    {
        long number = Interlocked.Increment(ref _lastNumber);
        _sockets[number] = socket;
        if (TryControl(AddDescriptor, descriptor, number, Readable | PeerHungUp | Edge))
            return number;
        _sockets.TryRemove(number, out _);
        throw new IOException($"a socket cannot be waited for: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    /// <summary>Forgets a socket, which is still open.</summary>
    public void Remove(long number, SafeFileHandle descriptor)
    {
        _sockets.TryRemove(number, out _);
        TryControl(RemoveDescriptor, descriptor, number, 0);
    }

    private static SocketPoller? TryCreate()
    {
        int descriptor = OperatingSystem.IsLinux() ? CreatePoll(CloseOnExec) : -1;
        if (descriptor < 0)
            return null;
        var poller = new SocketPoller(descriptor);
        new Thread(poller.Run) { IsBackground = true, Name = "socket poller" }.Start();
        return poller;
    }

    private void Run()
    {
        byte* events = (byte*)NativeMemory.Alloc((nuint)(EventsMax * s_eventLength));
        while (TryTurn(events))
        {
        }
    }

    // A method of its own: one that never returns is never replaced by its optimised form.
    private bool TryTurn(byte* events)
    {
        int count = WaitPoll(_descriptor, events, EventsMax, -1);
        if (count < 0)
            return Marshal.GetLastPInvokeError() == Interrupted;
        for (int i = 0; i < count; i++)
        {
            byte* one = events + (i * s_eventLength);
            long number = BinaryPrimitives.ReadInt64LittleEndian(new ReadOnlySpan<byte>(one + s_dataOffset, 8));
            if (_sockets.TryGetValue(number, out PolledSocket? socket))
                socket.Continue((*(uint*)one & (PeerHungUp | HungUp | Broken)) != 0);
        }

        return true;
    }

    private bool TryControl(int operation, SafeFileHandle descriptor, long number, uint wanted)
    {
        byte* change = stackalloc byte[16];
        *(uint*)change = wanted;
        BinaryPrimitives.WriteInt64LittleEndian(new Span<byte>(change + s_dataOffset, 8), number);
        return ControlPoll(_descriptor, operation, descriptor, change) == 0;
    }

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    private static partial int CreatePoll(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    private static partial int ControlPoll(int poll, int operation, SafeFileHandle descriptor, void* change);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    private static partial int WaitPoll(int poll, void* events, int count, int milliseconds);
}
