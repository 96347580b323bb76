using System.Net;
using System.Net.Sockets;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Sockets;

/// <summary>
/// A bound UDP socket of one address family. One thread receives (<see cref="Wait"/>, <see cref="Receive"/>,
/// <see cref="Received"/>); any thread may call <see cref="Send"/> and <see cref="Wake"/>, even after <see cref="Dispose()"/>,
/// which itself waits for nobody: the receiving thread must have stopped before. A datagram that cannot be sent is lost, as it could be on the network.
/// </summary>
internal abstract class UdpSocket : IDisposable
{
    /// <summary>The largest UDP payload, and so the room for one receive with joined datagrams, in bytes.</summary>
    public const int PayloadMax = 65535;

    /// <summary>
    /// Asked of the kernel for each direction, in bytes: 10 ms at 5.6 Gbit/s, so that a receiver that is off the CPU for one
    /// scheduling period loses nothing. The kernel may grant less.
    /// </summary>
    protected const int KernelBufferSize = 7 * 1024 * 1024;

    /// <summary>
    /// How long a send waits for room in a full kernel buffer, in milliseconds: what a network card at 1 Gbit/s needs to send a dozen
    /// full batches. The thread that waits may be the one that receives; past this, a loss that congestion control sees is better.
    /// </summary>
    protected const int SendWaitMilliseconds = 10;

    /// <summary>The address the socket is bound to, with its real port.</summary>
    public abstract IPEndPoint LocalEndPoint { get; }

    /// <summary>The most datagrams that one <see cref="Send"/> takes; 1 if the kernel does not split batches.</summary>
    public abstract int SegmentsMax { get; }

    /// <summary>Datagrams that were given to <see cref="Send"/> and not handed to the network.</summary>
    public abstract long SendsDropped { get; }

    /// <summary>Binds the best kind of socket that this system has.</summary>
    /// <param name="local">Address and port to bind; port 0 takes a free one. Its family is the socket's.</param>
    /// <exception cref="QuicBindException">The address cannot be bound.</exception>
    public static UdpSocket Bind(IPEndPoint local) =>
        OperatingSystem.IsLinux() && Environment.Is64BitProcess ? new LinuxUdpSocket(local) : new PortableUdpSocket(local);

    /// <summary>Sends one or more datagrams to <c>path.Remote</c>, from <c>path.Local</c> if that is specified.</summary>
    /// <param name="path">Where from and to; the remote address has the socket's family.</param>
    /// <param name="ecn">Written into the IP header where the system allows it.</param>
    /// <param name="payload">Datagrams of <paramref name="segmentSize"/> bytes one after the other, the last may be shorter;
    /// at most <see cref="SegmentsMax"/> of them and <see cref="PayloadMax"/> less headers in all.</param>
    /// <param name="segmentSize">At least 1.</param>
    public abstract void Send(FourTuple path, EcnCodepoint ecn, ReadOnlySpan<byte> payload, int segmentSize);

    /// <summary>Takes what has arrived, without waiting, and returns how many items <see cref="Received"/> then has.</summary>
    public abstract int Receive();

    /// <summary>Whether more may have been there when <see cref="Receive"/> took <paramref name="count"/> items, so that to look again is
    /// better than to wait.</summary>
    public abstract bool MayHoldMore(int count);

    /// <summary>The <paramref name="index"/>th item of the last <see cref="Receive"/>.</summary>
    public abstract ReceivedDatagrams Received(int index);

    /// <summary>
    /// Waits until a datagram has arrived, <see cref="Wake"/> was called since the last wait, or <paramref name="timeout"/>
    /// has passed; <see cref="Timeout.InfiniteTimeSpan"/> waits for the first two only. May return early.
    /// </summary>
    public abstract void Wait(TimeSpan timeout);

    /// <summary>Ends the current <see cref="Wait"/>, or the next one if there is none.</summary>
    public abstract void Wake();

    /// <summary>Closes the socket. Sends after this are dropped.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes what the concrete socket holds.</summary>
    protected abstract void Dispose(bool disposing);

    /// <summary>The exception for a failed bind, with what the user can do about it.</summary>
    protected static QuicBindException BindFailure(IPEndPoint local, SocketError error, string systemText)
    {
        string what = error switch
        {
            SocketError.AddressAlreadyInUse => $"port {local.Port}/udp on {local.Address} is already in use by another program: "
                + "choose another port, or port 0 for any free one",
            SocketError.AccessDenied => $"this user may not bind port {local.Port}/udp on {local.Address}: choose a port from 1024 on",
            SocketError.AddressNotAvailable => $"{local.Address} is not an address of this machine: choose one that is, or the unspecified address",
            SocketError.AddressFamilyNotSupported => $"this machine has no {(local.AddressFamily == AddressFamily.InterNetwork ? "IPv4" : "IPv6")}: "
                + $"leave {local.Address} out of the addresses to bind",
            _ => $"{local} cannot be bound: {systemText}",
        };
        return new QuicBindException(local, error, what);
    }
}
