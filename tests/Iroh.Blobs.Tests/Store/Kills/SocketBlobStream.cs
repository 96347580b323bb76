using System.Net;
using System.Net.Sockets;
using Blixard.Testing.Basics;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Transfer;

namespace Iroh.Blobs.Tests.Store.Kills;

/// <summary>A request over a TCP connection of its own, between two processes. Codes do not cross it: who aborts just goes.</summary>
internal sealed class SocketBlobStream(Socket socket) : AsyncStream, IBlobStream
{
    private bool _completed;

    public Stream Input => this;

    public Stream Output => this;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return await socket.ReceiveAsync(buffer, cancellationToken);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            throw new IOException("the other end is gone", exception);
        }
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            while (buffer.Length > 0)
                buffer = buffer[await socket.SendAsync(buffer, cancellationToken)..];
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            throw new IOException("the other end is gone", exception);
        }
    }

    public void CompleteWrites()
    {
        if (_completed)
            return;
        _completed = true;
        try
        {
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // The other end went before.
        }
    }

    public void Abort(ulong code) => socket.Dispose();

    public override ValueTask DisposeAsync()
    {
        socket.Dispose();
        return base.DisposeAsync();
    }
}

/// <summary>The provider of another process of this machine.</summary>
internal sealed class SocketSource(string name, int port) : IBlobSource
{
    public string Name => name;

    public async ValueTask<IBlobStream> OpenStreamAsync(CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), cancellationToken);
            return new SocketBlobStream(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

/// <summary>Serves a provider to other processes of this machine until it is disposed.</summary>
internal sealed class SocketProvider : IAsyncDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly CancellationTokenSource _stopping = new();
    private readonly BlobProvider _provider;
    private readonly Task _accepting;

    public SocketProvider(BlobProvider provider)
    {
        _provider = provider;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await Patience.ForAsync(_accepting, "requests end that are being served");
        _listener.Dispose();
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        var serving = new List<Task>();
        try
        {
            while (true)
            {
                Socket socket = await _listener.AcceptAsync(_stopping.Token);
                socket.NoDelay = true;
                serving.RemoveAll(static task => task.IsCompleted);
                serving.Add(Task.Run(() => _provider.ServeStreamAsync(default, new SocketBlobStream(socket), _stopping.Token)));
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(serving);
        }
    }
}
