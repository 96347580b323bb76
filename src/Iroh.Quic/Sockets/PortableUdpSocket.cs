using System.Net;
using System.Net.Sockets;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Sockets;

/// <summary>
/// A UDP socket from the class library, for systems other than 64-bit Linux: one datagram a call, no ECN, and the local
/// address only if the socket is bound to one. A datagram costs an allocation for the sender's address.
/// </summary>
internal sealed class PortableUdpSocket : UdpSocket
{
    /// <summary>Datagrams taken at once before the driver looks at its timers.</summary>
    private const int ReceiveBatch = 32;

    /// <summary>Longer than any datagram a peer may send us: we announce a max_udp_payload_size below it (RFC 9000 §18.2).</summary>
    private const int BufferLength = 16_384;

    private readonly Socket _socket;
    private readonly Socket _wakeSocket;
    private readonly NetworkAddress _local;
    private readonly byte[] _buffers = GC.AllocateUninitializedArray<byte>(ReceiveBatch * BufferLength, pinned: true);
    private readonly (FourTuple Path, int Length)[] _received = new (FourTuple, int)[ReceiveBatch];
    private readonly List<Socket> _readable = new(2);
    private readonly EndPoint _anySender;
    private volatile Destination? _lastDestination;
    private int _wakePending;
    private long _sendsDropped;

    /// <summary>Binds to <paramref name="local"/>.</summary>
    /// <exception cref="QuicBindException">The address cannot be bound.</exception>
    public PortableUdpSocket(IPEndPoint local)
    {
        bool v4 = local.AddressFamily == AddressFamily.InterNetwork;
        _anySender = new IPEndPoint(v4 ? IPAddress.Any : IPAddress.IPv6Any, 0);
        Socket? socket = null;
        try
        {
            socket = new Socket(local.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            if (!v4)
                socket.DualMode = false;
            SetOptions(socket, v4);
            socket.Bind(local);
            _wakeSocket = CreateWakeSocket();
        }
        catch (SocketException failure)
        {
            socket?.Dispose();
            throw BindFailure(local, failure.SocketErrorCode, failure.Message);
        }

        _socket = socket;
        LocalEndPoint = (IPEndPoint)socket.LocalEndPoint!;
        _local = local.Address.Equals(((IPEndPoint)_anySender).Address) ? default : NetworkAddress.From(LocalEndPoint);
    }

    /// <inheritdoc/>
    public override IPEndPoint LocalEndPoint { get; }

    /// <inheritdoc/>
    public override int SegmentsMax => 1;

    /// <inheritdoc/>
    public override long SendsDropped => Interlocked.Read(ref _sendsDropped);

    /// <inheritdoc/>
    public override void Send(FourTuple path, EcnCodepoint ecn, ReadOnlySpan<byte> payload, int segmentSize)
    {
        Destination? destination = _lastDestination;
        if (destination is null || destination.Address != path.Remote)
        {
            destination = new Destination(path.Remote, path.Remote.ToIPEndPoint().Serialize());
            _lastDestination = destination;
        }

        for (int start = 0; start < payload.Length; start += segmentSize)
        {
            try
            {
                _socket.SendTo(payload.Slice(start, Math.Min(segmentSize, payload.Length - start)), SocketFlags.None, destination.Serialized);
            }
            catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
            {
                // Too large for the route, no route, refused: all of them are a loss to QUIC.
                Interlocked.Increment(ref _sendsDropped);
            }
        }
    }

    /// <inheritdoc/>
    public override int Receive()
    {
        int count = 0;
        while (count < ReceiveBatch && _socket.Available > 0)
        {
            EndPoint sender = _anySender;
            try
            {
                int length = _socket.ReceiveFrom(_buffers.AsSpan(count * BufferLength, BufferLength), SocketFlags.None, ref sender);
                _received[count++] = (new FourTuple(_local, NetworkAddress.From((IPEndPoint)sender)), length);
            }
            catch (SocketException)
            {
                // A datagram longer than the buffer, or an ICMP answer to one of ours that some systems report here.
            }
        }

        return count;
    }

    /// <inheritdoc/>
    public override bool MayHoldMore(int count) => count == ReceiveBatch;

    /// <inheritdoc/>
    public override ReceivedDatagrams Received(int index)
    {
        (FourTuple path, int length) = _received[index];
        return new ReceivedDatagrams(path, EcnCodepoint.NotEct, _buffers.AsSpan(index * BufferLength, length), Math.Max(length, 1));
    }

    /// <inheritdoc/>
    public override void Wait(TimeSpan timeout)
    {
        _readable.Clear();
        _readable.Add(_socket);
        _readable.Add(_wakeSocket);
        Socket.Select(_readable, null, null, timeout);
        if (!_readable.Contains(_wakeSocket))
            return;
        Span<byte> signal = stackalloc byte[1];
        _wakeSocket.Receive(signal);
        Interlocked.Exchange(ref _wakePending, 0);
    }

    /// <inheritdoc/>
    public override void Wake()
    {
        if (Interlocked.Exchange(ref _wakePending, 1) != 0)
            return;
        try
        {
            _wakeSocket.Send("!"u8);
        }
        catch (ObjectDisposedException)
        {
            // Nobody waits on a closed socket.
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _socket.Dispose();
        _wakeSocket.Dispose();
    }

    private static void SetOptions(Socket socket, bool v4)
    {
        socket.ReceiveBufferSize = KernelBufferSize;
        socket.SendBufferSize = KernelBufferSize;
        socket.SendTimeout = SendWaitMilliseconds;
        if (v4)
            socket.DontFragment = true;
    }

    /// <summary>A socket connected to itself: one byte through it makes a wait on it end, on every system.</summary>
    private static Socket CreateWakeSocket()
    {
        var wake = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        wake.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        wake.Connect(wake.LocalEndPoint!);
        return wake;
    }

    private sealed record Destination(NetworkAddress Address, SocketAddress Serialized);
}
