using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Iroh.Quic.Protocol.Primitives;
using static Iroh.Quic.Sockets.LibC;

namespace Iroh.Quic.Sockets;

/// <summary>
/// A UDP socket of 64-bit Linux: several datagrams a call in both directions (recvmmsg, UDP_GRO, UDP_SEGMENT), ECN bits and
/// the local address of each datagram, and the "don't fragment" bit that path MTU discovery needs (RFC 9000 §14).
/// </summary>
internal sealed unsafe class LinuxUdpSocket : UdpSocket
{
    /// <summary>
    /// Messages a receive call takes. With UDP_GRO each may hold 64 KiB, and 8 of those still fit a core's second-level cache.
    /// </summary>
    private const int ReceiveBatch = 8;

    /// <summary>The kernel splits one send into at most 64 datagrams (UDP_MAX_SEGMENTS before Linux 6.8).</summary>
    private const int KernelSegmentsMax = 64;

    private readonly FileDescriptor _socket;
    private readonly FileDescriptor _wakeEvent;
    private readonly NetworkAddress _local;
    private readonly bool _boundToAny;
    private readonly byte* _buffers;
    private readonly MultiMessageHeader* _messages;
    private readonly bool _mayJoin;
    private WaitState _waitState;
    private volatile bool _segmentationRefused;
    private long _sendsDropped;
    private bool _disposed;

    /// <summary>Binds to <paramref name="local"/>.</summary>
    /// <param name="local">Address and port; port 0 takes a free one.</param>
    /// <param name="joinDatagrams">Whether to use UDP_SEGMENT and UDP_GRO if the kernel has them.</param>
    /// <exception cref="QuicBindException">The address cannot be bound.</exception>
    public LinuxUdpSocket(IPEndPoint local, bool joinDatagrams = true)
    {
        bool v4 = local.AddressFamily == AddressFamily.InterNetwork;
        _segmentationRefused = !joinDatagrams;
        _mayJoin = joinDatagrams;
        int descriptor = Socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (descriptor < 0)
            throw Failure(local);
        _socket = new FileDescriptor(descriptor);
        try
        {
            SetOptions(v4);
            _local = BindTo(local);
            _boundToAny = local.Address.Equals(v4 ? IPAddress.Any : IPAddress.IPv6Any);
            LocalEndPoint = _local.ToIPEndPoint();
            _wakeEvent = new FileDescriptor(EventDescriptor(0, EFD_NONBLOCK | EFD_CLOEXEC));
            if (_wakeEvent.IsInvalid)
                throw Failure(local);
        }
        catch
        {
            _socket.Dispose();
            throw;
        }

        _buffers = (byte*)NativeMemory.Alloc((nuint)ReceiveBatch * ReceiveSlot.Size);
        _messages = (MultiMessageHeader*)NativeMemory.AllocZeroed(ReceiveBatch, (nuint)sizeof(MultiMessageHeader));
        for (int i = 0; i < ReceiveBatch; i++)
            PrepareSlot(i);
    }

    /// <summary>Frees the receive buffers if nobody disposed the socket.</summary>
    ~LinuxUdpSocket() => Dispose(false);

    private enum WaitState
    {
        Running,
        Waiting,
        Woken,
    }

    private enum SendOutcome
    {
        Sent,
        Interrupted,
        Full,
        TooLarge,
        SegmentationRefused,
        Lost,
    }

    /// <inheritdoc/>
    public override IPEndPoint LocalEndPoint { get; }

    /// <inheritdoc/>
    public override int SegmentsMax => _segmentationRefused ? 1 : KernelSegmentsMax;

    /// <inheritdoc/>
    public override long SendsDropped => Interlocked.Read(ref _sendsDropped);

    /// <inheritdoc/>
    public override void Send(FourTuple path, EcnCodepoint ecn, ReadOnlySpan<byte> payload, int segmentSize)
    {
        bool several = payload.Length > segmentSize;
        if (!several)
        {
            Count(SendOnce(path, ecn, payload, 0), 1);
            return;
        }

        if (!_segmentationRefused)
        {
            SendOutcome outcome = SendOnce(path, ecn, payload, segmentSize);
            if (outcome != SendOutcome.SegmentationRefused)
            {
                Count(outcome, (payload.Length + segmentSize - 1) / segmentSize);
                return;
            }
        }

        // The kernel answers EINVAL both when it (or the card) cannot split and when a segment is larger than the route's MTU;
        // in the second case the single sends fail too, and splitting stays in use for smaller ones.
        bool fits = true;
        for (int start = 0; start < payload.Length; start += segmentSize)
        {
            SendOutcome outcome = SendOnce(path, ecn, payload.Slice(start, Math.Min(segmentSize, payload.Length - start)), 0);
            fits &= outcome == SendOutcome.Sent;
            Count(outcome, 1);
        }

        if (fits)
            _segmentationRefused = true;
    }

    /// <inheritdoc/>
    public override int Receive()
    {
        int count;
        do
        {
            count = ReceiveMessages(_socket, _messages, ReceiveBatch, MSG_DONTWAIT, null);
        }
        while (count < 0 && Marshal.GetLastPInvokeError() == EINTR);
        return Math.Max(count, 0);
    }

    /// <inheritdoc/>
    public override bool MayHoldMore(int count) => count == ReceiveBatch;

    /// <inheritdoc/>
    public override ReceivedDatagrams Received(int index)
    {
        MultiMessageHeader* message = _messages + index;
        byte* slot = _buffers + ((nint)index * ReceiveSlot.Size);
        int length = (message->Header.Flags & MSG_TRUNC) != 0 ? 0 : (int)message->Length;
        NetworkAddress remote = SocketAddressCodec.Read(new ReadOnlySpan<byte>(slot, (int)Math.Min(message->Header.NameLength, SocketAddressCodec.LengthMax)));
        var control = new ControlReader(_local, _boundToAny, length);
        control.Read(new ReadOnlySpan<byte>(slot + ReceiveSlot.ControlOffset, (int)Math.Min(message->Header.ControlLength, ReceiveSlot.ControlLength)));
        PrepareSlot(index);
        return new ReceivedDatagrams(
            new FourTuple(control.Local, remote), control.Ecn, new Span<byte>(slot + ReceiveSlot.PayloadOffset, length), control.SegmentSize);
    }

    /// <inheritdoc/>
    public override void Wait(TimeSpan timeout)
    {
        if (Interlocked.CompareExchange(ref _waitState, WaitState.Waiting, WaitState.Running) == WaitState.Woken)
        {
            Interlocked.Exchange(ref _waitState, WaitState.Running);
            return;
        }

        bool socketHeld = false, eventHeld = false;
        try
        {
            _socket.DangerousAddRef(ref socketHeld);
            _wakeEvent.DangerousAddRef(ref eventHeld);
            PollDescriptor* polled = stackalloc PollDescriptor[2];
            polled[0] = new PollDescriptor { Descriptor = (int)_socket.DangerousGetHandle(), Events = POLLIN };
            polled[1] = new PollDescriptor { Descriptor = (int)_wakeEvent.DangerousGetHandle(), Events = POLLIN };
            PollFor(polled, 2, timeout);
            ulong counter;
            if (polled[1].Returned != 0)
                _ = Read(_wakeEvent, &counter, sizeof(ulong));
        }
        finally
        {
            if (eventHeld)
                _wakeEvent.DangerousRelease();
            if (socketHeld)
                _socket.DangerousRelease();
            Interlocked.Exchange(ref _waitState, WaitState.Running);
        }
    }

    /// <inheritdoc/>
    public override void Wake()
    {
        if (Interlocked.Exchange(ref _waitState, WaitState.Woken) != WaitState.Waiting)
            return;
        ulong one = 1;
        try
        {
            _ = Write(_wakeEvent, &one, sizeof(ulong));
        }
        catch (ObjectDisposedException)
        {
            // Nobody waits on a closed socket.
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (Interlocked.Exchange(ref _disposed, true))
            return;
        if (disposing)
        {
            _socket.Dispose();
            _wakeEvent.Dispose();
        }

        NativeMemory.Free(_buffers);
        NativeMemory.Free(_messages);
    }

    /// <summary>What a failed send means: for UDP every answer but "full" is a loss that recovery repairs.</summary>
    private static SendOutcome Translate(int error, bool segmented) => error switch
    {
        EINTR => SendOutcome.Interrupted,
        EAGAIN or ENOBUFS => SendOutcome.Full,
        EIO or EINVAL or EMSGSIZE when segmented => SendOutcome.SegmentationRefused,
        EMSGSIZE => SendOutcome.TooLarge,
        _ => SendOutcome.Lost,
    };

    private static void PollFor(PollDescriptor* polled, nuint count, TimeSpan timeout)
    {
        var limit = new TimeSpecification
        {
            Seconds = timeout.Ticks / TimeSpan.TicksPerSecond,
            Nanoseconds = timeout.Ticks % TimeSpan.TicksPerSecond * 100,
        };
        _ = Poll(polled, count, timeout == Timeout.InfiniteTimeSpan ? null : &limit, null);
    }

    private static QuicBindException Failure(IPEndPoint local)
    {
        int error = Marshal.GetLastPInvokeError();
        SocketError kind = error switch
        {
            EADDRINUSE => SocketError.AddressAlreadyInUse,
            EACCES or EPERM => SocketError.AccessDenied,
            EADDRNOTAVAIL => SocketError.AddressNotAvailable,
            EAFNOSUPPORT => SocketError.AddressFamilyNotSupported,
            _ => SocketError.SocketError,
        };
        return BindFailure(local, kind, Marshal.GetPInvokeErrorMessage(error));
    }

    private static void AddControl(MessageHeader* header, int level, int type, ReadOnlySpan<byte> data)
    {
        byte* at = (byte*)header->Control + header->ControlLength;
        *(ControlHeader*)at = new ControlHeader { Length = (nuint)(sizeof(ControlHeader) + data.Length), Level = level, Type = type };
        data.CopyTo(new Span<byte>(at + sizeof(ControlHeader), data.Length));
        header->ControlLength += (nuint)(sizeof(ControlHeader) + ((data.Length + 7) & ~7));
    }

    private void SetOptions(bool v4)
    {
        // None of these is needed to exchange datagrams, so an old kernel may refuse any of them.
        if (!TrySet(SOL_SOCKET, SO_RCVBUFFORCE, KernelBufferSize))
            TrySet(SOL_SOCKET, SO_RCVBUF, KernelBufferSize);
        if (!TrySet(SOL_SOCKET, SO_SNDBUFFORCE, KernelBufferSize))
            TrySet(SOL_SOCKET, SO_SNDBUF, KernelBufferSize);
        if (v4)
        {
            TrySet(SOL_IP, IP_RECVTOS, 1);
            TrySet(SOL_IP, IP_PKTINFO, 1);
            TrySet(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
        }
        else
        {
            TrySet(SOL_IPV6, IPV6_V6ONLY, 1);
            TrySet(SOL_IPV6, IPV6_RECVTCLASS, 1);
            TrySet(SOL_IPV6, IPV6_RECVPKTINFO, 1);
            TrySet(SOL_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
            TrySet(SOL_IPV6, IPV6_DONTFRAG, 1);
        }

        if (_mayJoin)
            TrySet(SOL_UDP, UDP_GRO, 1);
    }

    private bool TrySet(int level, int name, int value) => SetSocketOption(_socket, level, name, &value, sizeof(int)) == 0;

    private NetworkAddress BindTo(IPEndPoint local)
    {
        byte* address = stackalloc byte[SocketAddressCodec.LengthMax];
        var span = new Span<byte>(address, SocketAddressCodec.LengthMax);
        uint length = (uint)SocketAddressCodec.Write(NetworkAddress.From(local), span);
        if (LibC.Bind(_socket, address, length) != 0)
            throw Failure(local);
        if (GetSocketName(_socket, address, &length) != 0)
            throw Failure(local);
        return SocketAddressCodec.Read(span);
    }

    /// <summary>One sendmsg, repeated while the kernel's buffer is full and the wait for room has not run out.</summary>
    [SkipLocalsInit]
    private SendOutcome SendOnce(FourTuple path, EcnCodepoint ecn, ReadOnlySpan<byte> payload, ushort segmentSize)
    {
        byte* address = stackalloc byte[SocketAddressCodec.LengthMax];
        byte* control = stackalloc byte[ReceiveSlot.ControlLength];
        fixed (byte* data = payload)
        {
            var vector = new IoVector { Base = data, Length = (nuint)payload.Length };
            var header = new MessageHeader
            {
                Name = address,
                NameLength = (uint)SocketAddressCodec.Write(path.Remote, new Span<byte>(address, SocketAddressCodec.LengthMax)),
                Vectors = &vector,
                VectorCount = 1,
                Control = control,
            };
            AddControls(&header, path, ecn, segmentSize);
            try
            {
                for (bool waited = false; ; waited = true)
                {
                    if (SendMessage(_socket, &header, MSG_DONTWAIT) >= 0)
                        return SendOutcome.Sent;
                    SendOutcome outcome = Translate(Marshal.GetLastPInvokeError(), segmentSize != 0);
                    if (outcome == SendOutcome.Full && !waited)
                        WaitForRoom();
                    else if (outcome != SendOutcome.Interrupted)
                        return outcome;
                }
            }
            catch (ObjectDisposedException)
            {
                return SendOutcome.Lost;
            }
        }
    }

    private SendOutcome SendOnce(FourTuple path, EcnCodepoint ecn, ReadOnlySpan<byte> payload, int segmentSize) =>
        SendOnce(path, ecn, payload, (ushort)segmentSize);

    private void AddControls(MessageHeader* header, FourTuple path, EcnCodepoint ecn, ushort segmentSize)
    {
        bool v4 = _local.IsIPv4;
        if (segmentSize != 0)
            AddControl(header, SOL_UDP, UDP_SEGMENT, MemoryMarshal.AsBytes(new ReadOnlySpan<ushort>(in segmentSize)));
        if (ecn != EcnCodepoint.NotEct)
        {
            int bits = (int)ecn;
            AddControl(header, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_TOS : IPV6_TCLASS, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in bits)));
        }

        if (!_boundToAny || path.Local.IsUnspecified)
            return;
        Span<byte> info = stackalloc byte[20];
        info.Clear();
        if (v4)
        {
            // struct in_pktinfo: interface index 0 (any), source address, unused.
            path.Local.WriteAddress(info[4..]);
            AddControl(header, SOL_IP, IP_PKTINFO, info[..12]);
        }
        else
        {
            // struct in6_pktinfo: source address, interface index.
            path.Local.WriteAddress(info);
            uint scope = path.Local.Scope;
            MemoryMarshal.Write(info[16..], in scope);
            AddControl(header, SOL_IPV6, IPV6_PKTINFO, info);
        }
    }

    private void WaitForRoom()
    {
        bool held = false;
        try
        {
            _socket.DangerousAddRef(ref held);
            var polled = new PollDescriptor { Descriptor = (int)_socket.DangerousGetHandle(), Events = POLLOUT };
            PollFor(&polled, 1, TimeSpan.FromMilliseconds(SendWaitMilliseconds));
        }
        finally
        {
            if (held)
                _socket.DangerousRelease();
        }
    }

    private void Count(SendOutcome outcome, int datagrams)
    {
        if (outcome != SendOutcome.Sent)
            Interlocked.Add(ref _sendsDropped, datagrams);
    }

    private void PrepareSlot(int index)
    {
        byte* slot = _buffers + ((nint)index * ReceiveSlot.Size);
        var vector = (IoVector*)(slot + ReceiveSlot.VectorOffset);
        *vector = new IoVector { Base = slot + ReceiveSlot.PayloadOffset, Length = PayloadMax };
        _messages[index].Header = new MessageHeader
        {
            Name = slot,
            NameLength = SocketAddressCodec.LengthMax,
            Vectors = vector,
            VectorCount = 1,
            Control = slot + ReceiveSlot.ControlOffset,
            ControlLength = ReceiveSlot.ControlLength,
        };
    }

    /// <summary>Where the parts of one received message lie in its slot: address, vector, control messages, payload.</summary>
    private static class ReceiveSlot
    {
        public const int VectorOffset = 32;
        public const int ControlOffset = 64;

        /// <summary>Holds an IPv6 packet info (40 bytes), a traffic class (24) and a segment size (24).</summary>
        public const int ControlLength = 128;
        public const int PayloadOffset = ControlOffset + ControlLength;

        /// <summary>A multiple of 64 bytes, so that slots do not share cache lines.</summary>
        public const int Size = (PayloadOffset + PayloadMax + 63) & ~63;
    }
}
