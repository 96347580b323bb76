using System.Net;
using System.Net.Sockets;

namespace Iroh.Relay.Server.Tests.Interop;

/// <summary>Carries the bytes of the connections that a socket accepts to an address of this machine, as if its server listened there.</summary>
internal sealed class TcpForwarder : IAsyncDisposable
{
    private readonly Socket _listener;
    private readonly IPEndPoint _target;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _accepting;

    public TcpForwarder(Socket listener, IPEndPoint target)
    {
        (_listener, _target) = (listener, target);
        _accepting = AcceptAsync();
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint Address => (IPEndPoint)_listener.LocalEndPoint!;

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        var running = new List<Task>();
        try
        {
            while (true)
                running.Add(ForwardAsync(await _listener.AcceptAsync(_stopping.Token)));
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(running);
        }
    }

    private async Task ForwardAsync(Socket near)
    {
        using var far = new Socket(_target.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using (near)
        {
            near.NoDelay = true;
            try
            {
                await far.ConnectAsync(_target, _stopping.Token);
                using var nearStream = new NetworkStream(near);
                using var farStream = new NetworkStream(far);
                await Task.WhenAny(nearStream.CopyToAsync(farStream, _stopping.Token), farStream.CopyToAsync(nearStream, _stopping.Token));
            }
            catch (Exception exception) when (exception is IOException or SocketException or OperationCanceledException)
            {
                // One of the ends has gone.
            }
        }
    }
}
