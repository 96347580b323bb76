using System.Net.Sockets;
using System.Text;

namespace Blixard.Etcd.Process;

/// <summary>Asks whether etcd answers its clients: it accepts connections from its start on and answers once it is part of the cluster.</summary>
internal static class EtcdProbe
{
    /// <summary>How often it is asked: a start takes a quarter of a second.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(25);

    private static readonly byte[] Request = Encoding.ASCII.GetBytes("GET /version HTTP/1.1\r\nHost: etcd\r\nConnection: close\r\n\r\n");
    private static readonly byte[] Answer = Encoding.ASCII.GetBytes("HTTP/1.1 200 ");

    /// <summary>Connects and waits for the first words of an answer, however long that takes.</summary>
    /// <returns>Whether it was the right one; false also if nobody listens or the connection ends.</returns>
    public static async Task<bool> AnswersAsync(string socketPath, CancellationToken cancellationToken)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellationToken).ConfigureAwait(false);
            using var stream = new NetworkStream(socket);
            await stream.WriteAsync(Request, cancellationToken).ConfigureAwait(false);
            byte[] answer = new byte[Answer.Length];
            await stream.ReadExactlyAsync(answer, cancellationToken).ConfigureAwait(false);
            return answer.AsSpan().SequenceEqual(Answer);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return false;
        }
    }
}
