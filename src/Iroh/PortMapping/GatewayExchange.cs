using System.Net;
using System.Net.Sockets;

namespace Iroh.PortMapping;

/// <summary>A question to a gateway over UDP, repeated until it answers.</summary>
internal static class GatewayExchange
{
    // A gateway is one hop away: RFC 6886 §3.1 begins with 250 ms too, and goes on for a minute, which nobody here waits for.
    private static readonly TimeSpan s_firstWait = TimeSpan.FromMilliseconds(250);
    private const int RequestsMax = 2;

    // PCP's limit (RFC 6887 §7); NAT-PMP's messages are shorter.
    private const int AnswerLengthMax = 1100;

    /// <summary>Reads an answer; false to wait for another one.</summary>
    internal delegate bool AnswerReader<T>(ReadOnlySpan<byte> datagram, out T answer);

    /// <summary>Writes a request that goes out from this address.</summary>
    internal delegate int RequestWriter(Span<byte> destination, IPAddress local);

    /// <summary>Asks.</summary>
    /// <param name="gateway">Whom; answers from elsewhere do not arrive.</param>
    /// <param name="requestLengthMax">How long a request may be.</param>
    /// <param name="write">Writes the request.</param>
    /// <param name="read">Reads the answer.</param>
    /// <param name="time">The clock for repetitions.</param>
    /// <param name="cancellationToken">Ends the exchange.</param>
    /// <returns>The answer and whether there was one; none after 750 ms of silence or if there is no way to the gateway.</returns>
    public static async Task<(bool HasAnswer, T? Answer)> AskAsync<T>(
        IPEndPoint gateway, int requestLengthMax, RequestWriter write, AnswerReader<T> read, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            using var socket = new Socket(gateway.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            await socket.ConnectAsync(gateway, cancellationToken).ConfigureAwait(false);
            byte[] request = new byte[requestLengthMax], answer = new byte[AnswerLengthMax];
            int length = write(request, ((IPEndPoint)socket.LocalEndPoint!).Address);
            for (int i = 0; i < RequestsMax; i++)
            {
                await socket.SendAsync(request.AsMemory(0, length), SocketFlags.None, cancellationToken).ConfigureAwait(false);
                using var limit = new CancellationTokenSource(s_firstWait * (1 << i), time);
                using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
                try
                {
                    while (true)
                    {
                        int received = await socket.ReceiveAsync(answer, SocketFlags.None, both.Token).ConfigureAwait(false);
                        if (read(answer.AsSpan(0, received), out T value))
                            return (true, value);
                    }
                }
                catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
                {
                }
            }

            return (false, default);
        }
        catch (SocketException)
        {
            // Refused or unreachable: nobody is there.
            return (false, default);
        }
    }
}
