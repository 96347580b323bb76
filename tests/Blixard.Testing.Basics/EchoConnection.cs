using System.Net.Sockets;

namespace Blixard.Testing.Basics;

/// <summary>Both ends of a connection whose service gives back what it gets.</summary>
public static class EchoConnection
{
    // Only a hang comes near this.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    /// <summary>The service's end: gives back what it reads, until the other end has ended, and then closes.</summary>
    public static async Task ServeAsync(NetworkStream stream)
    {
        await using (stream)
        {
            try
            {
                await stream.CopyToAsync(stream);
                stream.Socket.Shutdown(SocketShutdown.Send);
                // The other end closes once it has read the end.
                await stream.ReadAtLeastAsync(new byte[1], 1, throwOnEndOfStream: false);
            }
            catch (IOException)
            {
                // The connection was cut.
            }
        }
    }

    /// <summary>The client's end: sends all, then its end, reading meanwhile until the service has ended.</summary>
    /// <returns>What came back.</returns>
    public static async Task<byte[]> ExchangeAsync(NetworkStream stream, byte[] bytes)
    {
        Task writing = Task.Run(async () =>
        {
            await stream.WriteAsync(bytes);
            stream.Socket.Shutdown(SocketShutdown.Send);
        });
        byte[] came = await ReadToEndAsync(stream);
        await writing;
        return came;
    }

    /// <summary>Reads until the other end has ended.</summary>
    /// <exception cref="OperationCanceledException">It has not within a minute.</exception>
    public static async Task<byte[]> ReadToEndAsync(NetworkStream stream)
    {
        using var patience = new CancellationTokenSource(s_patience);
        using var bytes = new MemoryStream();
        await stream.CopyToAsync(bytes, patience.Token);
        return bytes.ToArray();
    }
}
