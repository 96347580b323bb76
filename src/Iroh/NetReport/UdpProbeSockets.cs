using System.Net;
using System.Net.Sockets;

namespace Iroh.NetReport;

/// <summary>Plain UDP sockets for probes where there is no endpoint: one for each family that the machine has. Thread-safe.</summary>
public sealed class UdpProbeSockets : IProbeSockets, IAsyncDisposable
{
    // Larger than any STUN message that we understand; the rest of a larger datagram is cut off and the message thereby refused.
    private const int DatagramSizeMax = 1500;

    private readonly List<Socket> _sockets = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _receiving;

    private UdpProbeSockets(IEnumerable<Socket> sockets)
    {
        _sockets.AddRange(sockets);
        LocalEndPoints = [.. _sockets.Select(socket => (IPEndPoint)socket.LocalEndPoint!)];
        _receiving = Task.WhenAll(_sockets.Select(socket => Task.Run(() => ReceiveAsync(socket))));
    }

    /// <inheritdoc/>
    public event ProbeDatagramHandler? Received;

    /// <inheritdoc/>
    public IReadOnlyList<IPEndPoint> LocalEndPoints { get; }

    /// <summary>Binds one socket of each family to all addresses with a free port; a family that the machine lacks is left out.</summary>
    public static UdpProbeSockets Bind() => Bind([new IPEndPoint(IPAddress.Any, 0), new IPEndPoint(IPAddress.IPv6Any, 0)]);

    /// <summary>Binds one socket to each address that can be bound.</summary>
    /// <param name="addresses">At most one of each family.</param>
    public static UdpProbeSockets Bind(IReadOnlyList<IPEndPoint> addresses)
    {
        var sockets = new List<Socket>();
        foreach (IPEndPoint address in addresses)
        {
            Socket? socket = null;
            try
            {
                socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { Blocking = false };
                if (address.AddressFamily == AddressFamily.InterNetworkV6)
                    socket.DualMode = false;
                socket.Bind(address);
                sockets.Add(socket);
            }
            catch (SocketException)
            {
                socket?.Dispose();
            }
        }

        return new UdpProbeSockets(sockets);
    }

    /// <inheritdoc/>
    public bool TrySend(IPEndPoint to, ReadOnlySpan<byte> datagram)
    {
        if (_sockets.Find(socket => socket.AddressFamily == to.AddressFamily) is not { } socket)
            return false;
        try
        {
            return socket.SendTo(datagram, SocketFlags.None, to) == datagram.Length;
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }

    /// <summary>Closes the sockets; no handler runs any more when this completes.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _receiving.ConfigureAwait(false);
        foreach (Socket socket in _sockets)
            socket.Dispose();
        _stopping.Dispose();
    }

    private async Task ReceiveAsync(Socket socket)
    {
        byte[] buffer = new byte[DatagramSizeMax];
        var anybody = new IPEndPoint(socket.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
        while (true)
        {
            try
            {
                SocketReceiveFromResult result =
                    await socket.ReceiveFromAsync(buffer, SocketFlags.None, anybody, _stopping.Token).ConfigureAwait(false);
                Received?.Invoke((IPEndPoint)result.RemoteEndPoint, buffer.AsSpan(0, result.ReceivedBytes));
            }
            catch (SocketException)
            {
                // An ICMP error of an earlier datagram is no reason to stop listening.
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }
}
