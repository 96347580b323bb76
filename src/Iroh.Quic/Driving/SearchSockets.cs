using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Driving;

/// <summary>
/// The extra UDP sockets of one connection's port search: behind a NAT that maps by destination each is one more chance that the peer finds
/// a port that leads here. All are closed when the search ends, but those that paths use. May be used from any thread.
/// </summary>
/// <remarks>Hundreds of sockets for some seconds, and then hardly more than one: so they are waited for by the thread pool, not by a thread each.</remarks>
internal sealed class SearchSockets : IDisposable
{
    private const int DatagramMax = 65_535;

    private readonly ISearchReceiver _receiver;
    private readonly ConcurrentDictionary<NetworkAddress, Socket> _sockets = new();

    // The search may end before its sockets have been opened, or while they are: null until then.
    private volatile HashSet<NetworkAddress>? _kept;

    /// <summary>Has no sockets yet.</summary>
    /// <param name="receiver">Gets what arrives on them.</param>
    public SearchSockets(ISearchReceiver receiver) => _receiver = receiver;

    /// <summary>How many sockets are open.</summary>
    public int Count => _sockets.Count;

    /// <summary>Opens sockets and begins to receive on them; none, or not all, if the search has ended.</summary>
    /// <param name="count">How many; where the system gives fewer, fewer it is.</param>
    /// <param name="family">The family of the peer's addresses.</param>
    /// <returns>Their local addresses, which name them in <see cref="FourTuple.Local"/>.</returns>
    public NetworkAddress[] Open(int count, AddressFamily family)
    {
        IPAddress any = family == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any;
        var opened = new List<NetworkAddress>(count);
        for (int i = 0; i < count && _kept is null; i++)
        {
            var socket = new Socket(family, SocketType.Dgram, ProtocolType.Udp);
            try
            {
                if (family == AddressFamily.InterNetwork)
                    socket.DontFragment = true;
                socket.Bind(new IPEndPoint(any, 0));
            }
            catch (SocketException)
            {
                // No more ports or descriptors for us: the search has to do with what there is.
                socket.Dispose();
                break;
            }

            var address = NetworkAddress.From((IPEndPoint)socket.LocalEndPoint!);
            _sockets[address] = socket;
            opened.Add(address);
            _ = ReceiveAsync(socket, address);
        }

        if (_kept is not { } kept)
            return [.. opened];
        CloseAllBut(kept);
        return [.. opened.Where(_sockets.ContainsKey)];
    }

    /// <summary>Sends through one of the sockets; false if the local address names none.</summary>
    public bool TrySend(in Transmit transmit, ReadOnlySpan<byte> payload)
    {
        if (!_sockets.TryGetValue(transmit.Path.Local, out Socket? socket))
            return false;
        var remote = transmit.Path.Remote.ToIPEndPoint();
        try
        {
            for (; !payload.IsEmpty; payload = payload[Math.Min(transmit.SegmentSize, payload.Length)..])
                socket.SendTo(payload[..Math.Min(transmit.SegmentSize, payload.Length)], remote);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // Lost, as it could be on the network.
        }

        return true;
    }

    /// <summary>The search is over: closes all sockets but those with these local addresses, and no more are opened.</summary>
    public void Keep(HashSet<NetworkAddress> used)
    {
        // Told before what is open is gone through: what is opened meanwhile is closed by who opens it.
        _kept = used;
        CloseAllBut(used);
    }

    /// <summary>Closes all, and no more are opened.</summary>
    public void Dispose() => Keep([]);

    private void CloseAllBut(HashSet<NetworkAddress> used)
    {
        foreach ((NetworkAddress address, Socket socket) in _sockets)
        {
            if (!used.Contains(address) && _sockets.TryRemove(address, out _))
                socket.Dispose();
        }
    }

    private async Task ReceiveAsync(Socket socket, NetworkAddress local)
    {
        // Small at first: of hundreds of sockets nearly all receive nothing, and the kept one gets datagrams of the path's MTU.
        byte[] buffer = GC.AllocateUninitializedArray<byte>(2048);
        var any = new IPEndPoint(socket.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
        while (true)
        {
            SocketReceiveFromResult received;
            try
            {
                received = await socket.ReceiveFromAsync(buffer, SocketFlags.None, any).ConfigureAwait(false);
            }
            catch (ObjectDisposedException)
            {
                return;
            }
            catch (SocketException exception) when (exception.SocketErrorCode == SocketError.MessageSize && buffer.Length < DatagramMax)
            {
                buffer = GC.AllocateUninitializedArray<byte>(DatagramMax);
                continue;
            }
            catch (SocketException exception) when (exception.SocketErrorCode is SocketError.OperationAborted or SocketError.Interrupted or SocketError.NotSocket)
            {
                return;
            }
            catch (SocketException)
            {
                // An answer of a router to something that was sent (ICMP).
                continue;
            }

            if (received.ReceivedBytes == 0)
                continue;
            var path = new FourTuple(local, NetworkAddress.From((IPEndPoint)received.RemoteEndPoint));
            _receiver.HandleDatagrams(path, EcnCodepoint.NotEct, buffer.AsSpan(0, received.ReceivedBytes), received.ReceivedBytes);
            _receiver.Flush();
        }
    }
}
