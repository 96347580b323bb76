using System.Net;
using System.Net.Sockets;

namespace Iroh.NetReport.Diagnosis;

/// <summary>Whether the kernel cuts one large write into datagrams and joins datagrams to one large read, which saves most of UDP's cost.</summary>
/// <param name="Gso">Generic segmentation offload (UDP_SEGMENT): shown by sending two datagrams with one call.</param>
/// <param name="Gro">Generic receive offload (UDP_GRO): the kernel has the option.</param>
public readonly record struct UdpOffload(bool Gso, bool Gro)
{
    // include/uapi/linux/udp.h
    private const int LevelUdp = 17, OptionSegment = 103, OptionGro = 104;
    private const int SegmentSize = 100;

    // Loopback delivers within the call.
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(1);

    /// <summary>Tries both over loopback. Never throws for a system that has neither.</summary>
    public static UdpOffload Detect() => OperatingSystem.IsLinux() ? new UdpOffload(HasGso(), HasGro()) : default;

    private static bool HasGso()
    {
        try
        {
            using var receiver = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            receiver.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            using var sender = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            SetOption(sender, OptionSegment, SegmentSize);
            sender.SendTo(new byte[2 * SegmentSize], receiver.LocalEndPoint!);
            receiver.ReceiveTimeout = (int)s_limit.TotalMilliseconds;
            byte[] buffer = new byte[2 * SegmentSize];
            return receiver.Receive(buffer) == SegmentSize && receiver.Receive(buffer) == SegmentSize;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static bool HasGro()
    {
        try
        {
            using var receiver = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            SetOption(receiver, OptionGro, 1);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static void SetOption(Socket socket, int option, int value) =>
        socket.SetRawSocketOption(LevelUdp, option, BitConverter.GetBytes(value));
}
