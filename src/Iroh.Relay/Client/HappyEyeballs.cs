using System.Net;
using System.Net.Sockets;

namespace Iroh.Relay.Client;

/// <summary>
/// Connects to the first of several addresses that answers (RFC 8305): IPv6 and IPv4 take turns, one more address is tried a quarter
/// second after the last or as soon as that has failed, and all go on until one has connected.
/// </summary>
internal static class HappyEyeballs
{
    /// <summary>How many addresses of a name are tried: with the delay between them, more would not get their turn in time.</summary>
    public const int AddressesMax = 8;

    /// <summary>The Connection Attempt Delay (RFC 8305 §5).</summary>
    public static readonly TimeSpan AttemptDelay = TimeSpan.FromMilliseconds(250);

    /// <summary>The order of attempts (RFC 8305 §4): the families alternate, beginning with IPv6; each keeps its order.</summary>
    public static IReadOnlyList<IPAddress> Order(IEnumerable<IPAddress> addresses)
    {
        IPAddress[] unique = [.. addresses.Select(address => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).Distinct()];
        var v6 = new Queue<IPAddress>(unique.Where(address => address.AddressFamily == AddressFamily.InterNetworkV6));
        var v4 = new Queue<IPAddress>(unique.Where(address => address.AddressFamily == AddressFamily.InterNetwork));
        var ordered = new List<IPAddress>();
        while (ordered.Count < AddressesMax && v6.Count + v4.Count > 0)
        {
            if (v6.TryDequeue(out IPAddress? first))
                ordered.Add(first);
            if (ordered.Count < AddressesMax && v4.TryDequeue(out IPAddress? second))
                ordered.Add(second);
        }

        return ordered;
    }

    /// <summary>Connects, with Nagle's algorithm off. The caller owns the socket.</summary>
    /// <exception cref="SocketException">No address answered; this is what the last one said.</exception>
    /// <exception cref="OperationCanceledException">The token was set before any did.</exception>
    public static async Task<Socket> ConnectAsync(
        IReadOnlyList<IPAddress> addresses, int port, TimeProvider time, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var attempts = new List<Task<Socket>>();
        Socket? winner = null;
        Exception? failure = null;
        int next = 0;
        try
        {
            while (winner is null && (next < addresses.Count || attempts.Count > 0))
            {
                if (next < addresses.Count)
                    attempts.Add(ConnectAsync(new IPEndPoint(addresses[next++], port), stop.Token));
                Task delay = next < addresses.Count ? Task.Delay(AttemptDelay, time, stop.Token) : Task.Delay(Timeout.Infinite, stop.Token);
                Task first = await Task.WhenAny(attempts.Append(delay)).ConfigureAwait(false);
                cancellationToken.ThrowIfCancellationRequested();
                if (first is not Task<Socket> attempt)
                    continue;
                attempts.Remove(attempt);
                if (attempt.IsCompletedSuccessfully)
                    winner = await attempt.ConfigureAwait(false);
                else
                    failure = attempt.Exception?.InnerException;
            }
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            foreach (Task<Socket> attempt in attempts)
                _ = CloseAsync(attempt);
        }

        return winner ?? throw failure ?? new SocketException((int)SocketError.HostNotFound);
    }

    private static async Task<Socket> ConnectAsync(IPEndPoint endPoint, CancellationToken cancellationToken)
    {
        var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.NoDelay = true;
            await socket.ConnectAsync(endPoint, cancellationToken).ConfigureAwait(false);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    // A loser that connects after all is closed.
    private static async Task CloseAsync(Task<Socket> attempt)
    {
        try
        {
            (await attempt.ConfigureAwait(false)).Dispose();
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // It lost and failed: as expected.
        }
    }
}
