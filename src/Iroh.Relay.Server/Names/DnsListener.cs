using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Iroh.Dns.Messages;

namespace Iroh.Relay.Server.Names;

/// <summary>Answers DNS at one address over UDP and, at the same port, over TCP (RFC 7766).</summary>
internal sealed class DnsListener : IAsyncDisposable
{
    public const string Udp = "udp";
    public const string Tcp = "tcp";

    // A query has one name of at most 255 bytes; what is longer holds options that nobody needs here.
    private const int QueryLengthMax = 4096;

    // Resolvers open a connection for an answer that was cut, and close it: enough for many at once.
    private const int ConnectionsMax = 512;

    // One address must not take them all.
    private const int ConnectionsOfAddressMax = 32;

    // When port 0 is asked for, the port that UDP gets may be taken for TCP: a few more are tried.
    private const int FreePortAttemptsMax = 16;

    // RFC 7766 §6.2.3: a server may close after a few seconds without a query.
    private static readonly TimeSpan s_idleTimeout = TimeSpan.FromSeconds(10);

    // After a receive error, so that one that stays does not keep a processor busy.
    private static readonly TimeSpan s_pauseAfterError = TimeSpan.FromMilliseconds(100);

    private readonly NameServer _server;
    private readonly TimeProvider _time;
    private readonly Socket _udp;
    private readonly Socket _tcp;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<Task, bool> _connections = new();
    private readonly Dictionary<IPAddress, int> _connectionsOfAddress = [];
    private readonly Task _udpLoop;
    private readonly Task _tcpLoop;

    private DnsListener(NameServer server, Socket udp, Socket tcp, TimeProvider time)
    {
        _server = server;
        _udp = udp;
        _tcp = tcp;
        _time = time;
        EndPoint = (IPEndPoint)udp.LocalEndPoint!;
        _udpLoop = Task.Run(AnswerDatagramsAsync);
        _tcpLoop = Task.Run(AcceptAsync);
    }

    /// <summary>The address with the real port.</summary>
    public IPEndPoint EndPoint { get; }

    /// <exception cref="SocketException">The address cannot be bound for UDP or TCP.</exception>
    public static DnsListener Start(NameServer server, IPEndPoint endPoint, TimeProvider time)
    {
        for (int attempt = 1; ; attempt++)
        {
            var udp = new Socket(endPoint.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            var tcp = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                udp.Bind(endPoint);
                tcp.Bind(udp.LocalEndPoint!);
                tcp.Listen();
                return new DnsListener(server, udp, tcp, time);
            }
            catch (SocketException exception)
            {
                udp.Dispose();
                tcp.Dispose();
                if (endPoint.Port != 0 || exception.SocketErrorCode != SocketError.AddressAlreadyInUse || attempt == FreePortAttemptsMax)
                    throw;
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        _udp.Dispose();
        _tcp.Dispose();
        await Task.WhenAll([_udpLoop, _tcpLoop, .. _connections.Keys]).ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task AnswerDatagramsAsync()
    {
        byte[] buffer = new byte[QueryLengthMax];
        var from = new SocketAddress(_udp.AddressFamily);
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                int length = await _udp.ReceiveFromAsync(buffer, SocketFlags.None, from, _stopping.Token).ConfigureAwait(false);
                if (_server.Answer(buffer.AsSpan(0, length), Udp) is { } answer)
                    await SendAsync(answer, from).ConfigureAwait(false);
            }
            catch (SocketException) when (!_stopping.IsCancellationRequested)
            {
                await Task.Delay(s_pauseAfterError, _time, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is OperationCanceledException or ObjectDisposedException or SocketException)
            {
                return;
            }
        }
    }

    /// <summary>Sends an answer. Whoever cannot be sent to, as a forged address, must not hold up the others.</summary>
    private async ValueTask SendAsync(byte[] answer, SocketAddress to)
    {
        try
        {
            await _udp.SendToAsync(answer, SocketFlags.None, to, _stopping.Token).ConfigureAwait(false);
        }
        catch (SocketException)
        {
        }
    }

    private async Task AcceptAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                Socket socket = await _tcp.AcceptAsync(_stopping.Token).ConfigureAwait(false);
                Serve(socket);
            }
            catch (SocketException) when (!_stopping.IsCancellationRequested)
            {
                await Task.Delay(s_pauseAfterError, _time, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is OperationCanceledException or ObjectDisposedException or SocketException)
            {
                return;
            }
        }
    }

    private void Serve(Socket socket)
    {
        if (socket.RemoteEndPoint is not IPEndPoint remote || !TryCount(remote.Address))
        {
            socket.Dispose();
            return;
        }

        Task connection = ServeAsync(socket, remote.Address);
        _connections.TryAdd(connection, true);
        connection.ContinueWith(
            ended => _connections.TryRemove(ended, out _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private bool TryCount(IPAddress address)
    {
        lock (_connectionsOfAddress)
        {
            int count = _connectionsOfAddress.GetValueOrDefault(address);
            if (_connections.Count >= ConnectionsMax || count >= ConnectionsOfAddressMax)
                return false;
            _connectionsOfAddress[address] = count + 1;
            return true;
        }
    }

    private void Uncount(IPAddress address)
    {
        lock (_connectionsOfAddress)
        {
            if (--_connectionsOfAddress[address] == 0)
                _connectionsOfAddress.Remove(address);
        }
    }

    private async Task ServeAsync(Socket socket, IPAddress address)
    {
        await Task.Yield();
        try
        {
            await using var stream = new NetworkStream(socket, ownsSocket: true);
            byte[] buffer = new byte[QueryLengthMax];
            while (await AnswerNextAsync(stream, buffer).ConfigureAwait(false))
            {
            }
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // Gone, silent for too long, or this server stops.
        }
        finally
        {
            Uncount(address);
        }
    }

    /// <summary>One query and its answer, each behind its length in two bytes.</summary>
    /// <returns>False when the connection is to be closed.</returns>
    private async Task<bool> AnswerNextAsync(NetworkStream stream, byte[] buffer)
    {
        using var idle = new CancellationTokenSource(s_idleTimeout, _time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(idle.Token, _stopping.Token);
        await stream.ReadExactlyAsync(buffer.AsMemory(0, 2), stop.Token).ConfigureAwait(false);
        int length = BinaryPrimitives.ReadUInt16BigEndian(buffer);
        if (length is < DnsMessage.HeaderLength or > QueryLengthMax)
            return false;
        await stream.ReadExactlyAsync(buffer.AsMemory(0, length), stop.Token).ConfigureAwait(false);
        if (_server.Answer(buffer.AsSpan(0, length), Tcp) is not { } answer)
            return false;
        byte[] framed = new byte[answer.Length + 2];
        BinaryPrimitives.WriteUInt16BigEndian(framed, (ushort)answer.Length);
        answer.CopyTo(framed, 2);
        await stream.WriteAsync(framed, stop.Token).ConfigureAwait(false);
        return true;
    }
}
