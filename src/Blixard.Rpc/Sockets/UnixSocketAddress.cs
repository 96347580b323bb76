using System.Net.Sockets;
using System.Text;

namespace Blixard.Rpc.Sockets;

/// <summary>
/// Where a unix socket is, in a form that the kernel takes even when the path is longer than its limit: then the folder is held
/// open and the socket is named through it (see <see cref="SocketDirectory"/>). Good for binding and for connecting, until it is disposed.
/// </summary>
public sealed class UnixSocketAddress : IDisposable
{
    /// <summary>The longest path that the kernel takes as it is, in bytes: sun_path has 108 with the terminating zero (unix(7)).</summary>
    public const int PathBytesMax = 107;

    private readonly SocketDirectory? _folder;

    private UnixSocketAddress(string path, SocketDirectory? folder)
    {
        EndPoint = new UnixDomainSocketEndPoint(path);
        _folder = folder;
    }

    /// <summary>What sockets are bound and connected to.</summary>
    public UnixDomainSocketEndPoint EndPoint { get; }

    /// <summary>The address of a socket. The socket need not exist; a folder whose path is needed must.</summary>
    /// <param name="path">The socket's path, of any length; its last part has at most 80 bytes, or a few more.</param>
    /// <exception cref="IOException">The path is too long for the kernel and its folder cannot be opened.</exception>
    /// <exception cref="ArgumentException">The path is empty, or its last part alone is too long.</exception>
    public static UnixSocketAddress Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Encoding.UTF8.GetByteCount(path) <= PathBytesMax)
            return new UnixSocketAddress(path, null);
        SocketDirectory folder = SocketDirectory.Open(Path.GetDirectoryName(Path.GetFullPath(path))!);
        string name = folder.PathOf(Path.GetFileName(path));
        if (Encoding.UTF8.GetByteCount(name) <= PathBytesMax)
            return new UnixSocketAddress(name, folder);
        folder.Dispose();
        throw new ArgumentException($"'{Path.GetFileName(path)}' is too long for the name of a socket", nameof(path));
    }

    /// <summary>Connects to the socket at <paramref name="path"/>, of any length. A path that nobody serves fails at once.</summary>
    /// <exception cref="SocketException">There is no such socket, or nobody serves it.</exception>
    /// <exception cref="IOException">See <see cref="Open"/>.</exception>
    public static async ValueTask<NetworkStream> ConnectAsync(string path, CancellationToken cancellationToken = default)
    {
        using UnixSocketAddress address = Open(path);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(address.EndPoint, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception)
        {
            socket.Dispose();
            throw;
        }
        return new NetworkStream(socket, ownsSocket: true);
    }

    /// <summary>Closes the folder. Sockets that are bound or connected stay so.</summary>
    public void Dispose() => _folder?.Dispose();
}
