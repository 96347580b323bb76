using System.Net;
using System.Net.Sockets;

namespace Blixard.Cluster.Tests.Support;

/// <summary>A UDP socket in front of another one, for one client: passes datagrams on, or drops them all.</summary>
internal sealed class UdpRelay : IDisposable
{
    private readonly Socket _front = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly Socket _back = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private EndPoint? _client;
    private volatile bool _isDropping;

    public UdpRelay(IPEndPoint target)
    {
        _front.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _back.Connect(target);
        _ = ForwardAsync();
        _ = ReturnAsync();
    }

    public IPEndPoint Address => (IPEndPoint)_front.LocalEndPoint!;

    /// <summary>Whether all datagrams are lost from now on, in both directions.</summary>
    public bool IsDropping
    {
        get => _isDropping;
        set => _isDropping = value;
    }

    public void Dispose()
    {
        _front.Dispose();
        _back.Dispose();
    }

    private async Task ForwardAsync()
    {
        byte[] buffer = new byte[65536];
        var any = new IPEndPoint(IPAddress.Any, 0);
        try
        {
            while (true)
            {
                SocketReceiveFromResult read = await _front.ReceiveFromAsync(buffer, any);
                Volatile.Write(ref _client, read.RemoteEndPoint);
                if (!IsDropping)
                    await _back.SendAsync(buffer.AsMemory(0, read.ReceivedBytes));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed, or the target is gone.
        }
    }

    private async Task ReturnAsync()
    {
        byte[] buffer = new byte[65536];
        try
        {
            while (true)
            {
                int length = await _back.ReceiveAsync(buffer);
                if (!IsDropping && Volatile.Read(ref _client) is { } client)
                    await _front.SendToAsync(buffer.AsMemory(0, length), client);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed, or the target is gone.
        }
    }
}
