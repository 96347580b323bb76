using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Iroh.Dns.Multicast;

namespace Iroh.Lookup.Multicast;

/// <summary>
/// One family's group of multicast DNS on all interfaces of the machine: a socket on port 5353, which it shares with other
/// programs. <see cref="Send"/> and <see cref="Join"/> are for one thread at a time.
/// </summary>
internal sealed class MulticastGroup : IDisposable
{
    // RFC 6762 §11: receivers may check that a packet did not come through a router.
    private const int HopLimit = 255;

    // More than a machine for people has; a machine with thousands of containers announces itself on the first ones.
    private const int InterfacesMax = 32;

    private readonly Socket _socket;
    private readonly IPEndPoint _group;
    private readonly HashSet<int> _joined = [];

    private MulticastGroup(Socket socket, IPEndPoint group)
    {
        _socket = socket;
        _group = group;
    }

    private bool IsIPv4 => _group.AddressFamily == AddressFamily.InterNetwork;

    /// <summary>Binds the port.</summary>
    /// <exception cref="SocketException">The family is not there, or another program does not share the port.</exception>
    public static MulticastGroup Open(IPAddress address)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            bool isIPv4 = address.AddressFamily == AddressFamily.InterNetwork;
            if (!isIPv4)
                socket.DualMode = false;
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            socket.Bind(new IPEndPoint(isIPv4 ? IPAddress.Any : IPAddress.IPv6Any, MulticastMessage.Port));
            SocketOptionLevel level = isIPv4 ? SocketOptionLevel.IP : SocketOptionLevel.IPv6;
            socket.SetSocketOption(level, SocketOptionName.MulticastTimeToLive, HopLimit);
            socket.SetSocketOption(level, SocketOptionName.MulticastLoopback, true);
            return new MulticastGroup(socket, new IPEndPoint(address, MulticastMessage.Port));
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Joins the group on interfaces that came and forgets those that went.</summary>
    public void Join(Func<NetworkInterface, bool> isWanted)
    {
        var present = new HashSet<int>();
        foreach (NetworkInterface candidate in NetworkInterface.GetAllNetworkInterfaces())
        {
            // Linux reports loopback and tunnels as "unknown" although they carry traffic.
            if (present.Count < InterfacesMax
                && candidate.OperationalStatus is OperationalStatus.Up or OperationalStatus.Unknown
                && isWanted(candidate)
                && IndexOf(candidate) is { } index
                && (_joined.Contains(index) || TryJoin(index)))
                present.Add(index);
        }

        _joined.Clear();
        _joined.UnionWith(present);
    }

    /// <summary>Sends a packet on every interface; one that refuses is passed over, as a lost packet would be.</summary>
    public void Send(byte[] packet)
    {
        foreach (int index in _joined)
        {
            try
            {
                SocketOptionLevel level = IsIPv4 ? SocketOptionLevel.IP : SocketOptionLevel.IPv6;
                _socket.SetSocketOption(level, SocketOptionName.MulticastInterface, IsIPv4 ? IPAddress.HostToNetworkOrder(index) : index);
                _socket.SendTo(packet, SocketFlags.None, _group);
            }
            catch (SocketException)
            {
            }
        }
    }

    /// <summary>Receives the next packet that was sent to the group.</summary>
    /// <param name="buffer">One byte more than the longest packet, so that longer ones are seen to be.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>The packet's length; 0 if it was sent to this machine alone, which nobody of the link does.</returns>
    public async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var any = new IPEndPoint(IsIPv4 ? IPAddress.Any : IPAddress.IPv6Any, 0);
        SocketReceiveMessageFromResult received =
            await _socket.ReceiveMessageFromAsync(buffer, SocketFlags.None, any, cancellationToken).ConfigureAwait(false);
        bool isToGroup = received.PacketInformation.Address.GetAddressBytes().AsSpan().SequenceEqual(_group.Address.GetAddressBytes());
        return isToGroup ? received.ReceivedBytes : 0;
    }

    public void Dispose() => _socket.Dispose();

    private int? IndexOf(NetworkInterface candidate)
    {
        try
        {
            IPInterfaceProperties properties = candidate.GetIPProperties();
            return IsIPv4 ? properties.GetIPv4Properties()?.Index : properties.GetIPv6Properties()?.Index;
        }
        catch (NetworkInformationException)
        {
            // Gone meanwhile, or without this family.
            return null;
        }
    }

    private bool TryJoin(int index)
    {
        try
        {
            if (IsIPv4)
                _socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.AddMembership, new MulticastOption(_group.Address, index));
            else
                _socket.SetSocketOption(SocketOptionLevel.IPv6, SocketOptionName.AddMembership, new IPv6MulticastOption(_group.Address, index));
            return true;
        }
        catch (SocketException exception)
        {
            // Joined before, when the interface had gone and come back.
            return exception.SocketErrorCode == SocketError.AddressAlreadyInUse;
        }
    }
}
