using System.Net.Sockets;

namespace Blixard.FakeQemu;

/// <summary>A unix socket that takes connections and says nothing on them: a console whose guest is silent.</summary>
internal sealed class Listener : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    public Listener(string path)
    {
        File.Delete(path);
        _socket.Bind(new UnixDomainSocketEndPoint(path));
        _socket.Listen();
    }

    /// <summary>The next connection.</summary>
    public Task<Socket> AcceptAsync() => _socket.AcceptAsync();

    public void Dispose() => _socket.Dispose();
}
