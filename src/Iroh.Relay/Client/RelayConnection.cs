using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Iroh.Base;
using Iroh.Relay.Protocol;
using Iroh.Relay.WebSockets;

namespace Iroh.Relay.Client;

/// <summary>
/// One authenticated connection to a relay, of which only whole messages are visible. One task may receive and another send at the same
/// time. It has no timers: <see cref="RelayClient"/> keeps it alive and makes a new one.
/// </summary>
public sealed class RelayConnection : IAsyncDisposable
{
    // What a peaceful end may take: a close frame is small, but the connection may be dead.
    private static readonly TimeSpan s_closePatience = TimeSpan.FromMilliseconds(500);

    private readonly RelayUrl _url;
    private readonly Stream _stream;
    private readonly WebSocketReader _reader = new();
    private readonly SemaphoreSlim _writing = new(1, 1);
    private byte[]? _owedPong;
    private int _isDisposed;

    private RelayConnection(RelayUrl url, RelayDialed dialed)
    {
        _url = url;
        _stream = dialed.Stream;
        Version = dialed.Version;
        LocalEndPoint = dialed.Local;
        RemoteEndPoint = dialed.Remote;
    }

    /// <summary>The version of the protocol that the relay chose.</summary>
    public RelayVersion Version { get; }

    /// <summary>This end of the TCP connection.</summary>
    public IPEndPoint? LocalEndPoint { get; }

    /// <summary>The other end of the TCP connection: the relay's, or the proxy's.</summary>
    public IPEndPoint? RemoteEndPoint { get; }

    /// <summary>Connects and proves who this endpoint is.</summary>
    /// <param name="options">Whom and how.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RelayConnectException">It failed; <see cref="RelayConnectException.Failure"/> says how.</exception>
    /// <exception cref="ArgumentException">An option is unusable.</exception>
    public static async Task<RelayConnection> ConnectAsync(RelayClientOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        if (!options.IsTokenUsable)
            throw new RelayConnectException(
                options.Url, RelayFailure.Denied, $"The access token for the relay {options.Url} has to be printable ASCII without blanks");
        using var timeUp = new CancellationTokenSource(options.ConnectTimeout, options.TimeProvider);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(timeUp.Token, cancellationToken);
        try
        {
            RelayDialed dialed = await RelayDialer.DialAsync(options, stop.Token).ConfigureAwait(false);
            var connection = new RelayConnection(options.Url, dialed);
            try
            {
                // The challenge may have come in one piece with the answer to the upgrade.
                connection._reader.Append(dialed.Received);
                await connection.AuthenticateAsync(options.SecretKey, stop.Token).ConfigureAwait(false);
                return connection;
            }
            catch
            {
                await connection.AbortAsync().ConfigureAwait(false);
                throw;
            }
        }
        catch (OperationCanceledException exception) when (timeUp.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new RelayConnectException(
                options.Url,
                RelayFailure.TimedOut,
                $"The relay {options.Url} did not answer within {options.ConnectTimeout.TotalSeconds:0.#} s",
                exception);
        }
    }

    /// <summary>Waits for the next message. WebSocket's own pings are answered on the way.</summary>
    /// <param name="cancellationToken">Gives up; the connection is then unusable.</param>
    /// <returns>A relay frame as it came, valid until the next call; the caller may overwrite it.</returns>
    /// <exception cref="RelayConnectException">The connection has ended or the relay broke the protocol.</exception>
    public async ValueTask<Memory<byte>> ReceiveAsync(CancellationToken cancellationToken)
    {
        Memory<byte> message;
        while (!TryReceive(out message))
            await FillAsync(cancellationToken).ConfigureAwait(false);
        return message;
    }

    /// <summary>Takes the next message if it has arrived already; it is valid until the next <see cref="ReceiveAsync"/>.</summary>
    /// <exception cref="RelayConnectException">The connection has ended or the relay broke the protocol.</exception>
    public bool TryReceive(out Memory<byte> message)
    {
        while (true)
        {
            switch (_reader.Read(out WebSocketOpcode opcode, out message))
            {
                case WebSocketRead.Incomplete:
                    return false;
                case WebSocketRead.ProtocolError:
                    throw Lost("it broke the WebSocket protocol");
                case WebSocketRead.TooBig:
                    throw Lost($"it sent a message of more than {WebSocketReader.MessageLengthMax} bytes");
                case WebSocketRead.Message when opcode == WebSocketOpcode.Binary:
                    return true;
                case WebSocketRead.Message when opcode == WebSocketOpcode.Close:
                    throw Lost("it closed the connection");
                case WebSocketRead.Message when opcode == WebSocketOpcode.Ping:
                    AnswerPing(message.Span);
                    break;
            }
        }
    }

    /// <summary>Sends one frame; it is the caller's again on return.</summary>
    /// <param name="frame">At most <see cref="RelayFrame.LengthMax"/> bytes.</param>
    /// <param name="cancellationToken">Gives up; the connection is then unusable.</param>
    /// <exception cref="RelayConnectException">The connection has ended.</exception>
    public async ValueTask SendAsync(ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(frame.Length, RelayFrame.LengthMax);
        byte[] wire = ArrayPool<byte>.Shared.Rent(frame.Length + WebSocketWriter.HeaderLengthMax);
        try
        {
            int length = WebSocketWriter.WriteFrame(wire, WebSocketOpcode.Binary, frame.Span);
            await WriteAsync(wire.AsMemory(0, length), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(wire);
        }
    }

    /// <summary>Says goodbye if that is possible at once, and closes the connection.</summary>
    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(s_closePatience);
        byte[] close = new byte[WebSocketWriter.HeaderLengthMax + sizeof(ushort)];
        int length = WebSocketWriter.WriteFrame(close, WebSocketOpcode.Close, [(ushort)WebSocketCloseCode.Normal >> 8, (ushort)WebSocketCloseCode.Normal & 0xff]);
        try
        {
            await WriteAsync(close.AsMemory(0, length), patience.Token).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is RelayConnectException or OperationCanceledException)
        {
            // It has ended without words.
        }

        await AbortAsync().ConfigureAwait(false);
    }

    /// <summary>Waits for more bytes; messages received before are gone.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    internal async ValueTask FillAsync(CancellationToken cancellationToken)
    {
        int count;
        try
        {
            count = await _stream.ReadAsync(_reader.GetFreeMemory(), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is IOException or InvalidOperationException or NotSupportedException or SocketException)
        {
            throw Lost(exception.Message, exception);
        }

        if (count == 0)
            throw Lost("it ended the connection");
        _reader.Advance(count);
    }

    /// <summary>Writes frames that are WebSocket frames already.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    internal async ValueTask WriteAsync(ReadOnlyMemory<byte> wire, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await _stream.WriteAsync(wire, cancellationToken).ConfigureAwait(false);
            if (Interlocked.Exchange(ref _owedPong, null) is { } pong)
                await _stream.WriteAsync(pong, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is IOException or InvalidOperationException or NotSupportedException or SocketException)
        {
            throw Lost(exception.Message, exception);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Closes the connection without a word. Receiving and sending fail.</summary>
    internal async ValueTask AbortAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
            return;
        await _stream.DisposeAsync().ConfigureAwait(false);
    }

    private async Task AuthenticateAsync(SecretKey key, CancellationToken cancellationToken)
    {
        bool isChallenged = false;
        while (true)
        {
            Memory<byte> message = await ReceiveAsync(cancellationToken).ConfigureAwait(false);
            if (!RelayHandshake.TryReadServerMessage(message.Span, out RelayServerMessage read)
                || (isChallenged && read.Type == RelayFrameType.ServerChallenge))
                throw new RelayConnectException(_url, RelayFailure.NotARelay, $"The relay {_url} broke the handshake of the relay protocol");
            if (read.Type == RelayFrameType.ServerConfirmsAuth)
                return;
            if (read.Type == RelayFrameType.ServerDeniesAuth)
                throw new RelayConnectException(
                    _url, RelayFailure.Denied, $"The relay {_url} denies access: {(read.Reason.Length == 0 ? "it gives no reason" : read.Reason)}");
            isChallenged = true;
            byte[] answer = new byte[RelayHandshake.ClientAuthLength];
            RelayHandshake.WriteClientAuth(answer, key, read.Challenge);
            await SendAsync(answer, cancellationToken).ConfigureAwait(false);
        }
    }

    // Only the latest ping needs an answer (RFC 6455 §5.5.3). If somebody is writing, they send it.
    private void AnswerPing(ReadOnlySpan<byte> payload)
    {
        byte[] pong = new byte[WebSocketWriter.HeaderLength(payload.Length) + payload.Length];
        WebSocketWriter.WriteFrame(pong, WebSocketOpcode.Pong, payload);
        Interlocked.Exchange(ref _owedPong, pong);
        if (_writing.CurrentCount > 0)
            _ = PayPongAsync();
    }

    private async Task PayPongAsync()
    {
        try
        {
            await WriteAsync(ReadOnlyMemory<byte>.Empty, CancellationToken.None).ConfigureAwait(false);
        }
        catch (RelayConnectException)
        {
            // Whoever receives notices the end.
        }
    }

    private RelayConnectException Lost(string why, Exception? inner = null) =>
        new(_url, RelayFailure.Lost, $"Lost the connection to the relay {_url}: {why}", inner);
}
