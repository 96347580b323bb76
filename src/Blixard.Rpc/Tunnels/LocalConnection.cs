using System.Net.Sockets;

namespace Blixard.Rpc.Tunnels;

/// <summary>What is done to the connection on this end of a tunnel.</summary>
internal static class LocalConnection
{
    /// <summary>Tells it that nothing more comes. A stream that is no socket cannot be half closed and is closed whole.</summary>
    public static async ValueTask HalfCloseAsync(Stream local)
    {
        if (local is not NetworkStream { Socket: { } socket })
        {
            await local.DisposeAsync().ConfigureAwait(false);
            return;
        }

        try
        {
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It is gone already: there is nobody to tell that nothing more comes.
        }
    }
}

/// <summary>The connection on this end of a tunnel broke.</summary>
internal sealed class TunnelLocalException(Exception cause) : Exception(cause.Message, cause);
