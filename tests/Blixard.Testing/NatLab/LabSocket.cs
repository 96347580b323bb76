using System.Net;
using System.Net.Sockets;
using Blixard.Testing.Namespaces;

namespace Blixard.Testing.NatLab;

/// <summary>Sockets of this process on hosts of a lab.</summary>
public static class LabSocket
{
    /// <summary>A UDP socket on a host; for both families when it is bound to all IPv6 addresses.</summary>
    /// <param name="host">The host.</param>
    /// <param name="local">Where it is bound; port 0 is any free one.</param>
    public static Task<Socket> BindUdpAsync(LabHost host, IPEndPoint local) => NetworkNamespace.RunAsync(host.Namespace, () =>
    {
        var socket = new Socket(local.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        if (local.Address.Equals(IPAddress.IPv6Any))
            socket.DualMode = true;
        socket.Bind(local);
        return socket;
    });

    /// <summary>A TCP socket on a host that listens at any free port.</summary>
    public static Task<Socket> ListenAsync(LabHost host, IPAddress local) => NetworkNamespace.RunAsync(host.Namespace, () =>
    {
        var socket = new Socket(local.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(local, 0));
        socket.Listen();
        return socket;
    });

    /// <summary>A TCP socket on a host that is not connected.</summary>
    public static Task<Socket> CreateTcpAsync(LabHost host, AddressFamily family) =>
        NetworkNamespace.RunAsync(host.Namespace, () => new Socket(family, SocketType.Stream, ProtocolType.Tcp));

    /// <summary>Waits for a datagram with these bytes, past any others.</summary>
    /// <returns>Whom it came from; null if it did not come within the limit.</returns>
    public static async Task<IPEndPoint?> WaitForAsync(Socket socket, byte[] wanted, TimeSpan limit)
    {
        using var end = new CancellationTokenSource(limit);
        byte[] buffer = new byte[2048];
        try
        {
            while (true)
            {
                SocketReceiveFromResult result = await socket.ReceiveFromAsync(buffer, SocketFlags.None, socket.LocalEndPoint!, end.Token).ConfigureAwait(false);
                if (buffer.AsSpan(0, result.ReceivedBytes).SequenceEqual(wanted))
                    return (IPEndPoint)result.RemoteEndPoint;
            }
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }
}
