using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Threading.Channels;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Relay.Protocol;

namespace Iroh.Relay.Tests.Client;

/// <summary>
/// A relay for tests on a loopback port: the class library's WebSocket, so that ours meets another's, and a handful of switches for what
/// real relays do seldom. It forwards between the clients that are connected.
/// </summary>
internal sealed class FakeRelay : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<FakeRelayClient, Task> _clients = new();
    private readonly Channel<FakeRelayClient> _arrivals = Channel.CreateUnbounded<FakeRelayClient>();
    private readonly Task _accepting;

    public FakeRelay(int port = 0)
    {
        _listener = new TcpListener(IPAddress.Loopback, port);
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    public int Port { get; }

    public RelayUrl Url => RelayUrl.Parse($"{(Certificate is null ? "http" : "https")}://localhost:{Port}");

    /// <summary>What is answered as sub-protocol; null leaves the header out.</summary>
    public string? Subprotocol { get; set; } = RelayVersion.V2.ToSubprotocol();

    /// <summary>Answered instead of 101 if not null, with a body.</summary>
    public string? RefuseWith { get; set; }

    public string? Denial { get; set; }

    public bool SkipsChallenge { get; set; }

    /// <summary>Takes connections and says nothing.</summary>
    public bool IsMute { get; set; }

    /// <summary>Lets clients in and answers no ping.</summary>
    public bool IgnoresPings { get; set; }

    public X509Certificate2? Certificate { get; init; }

    public int Connections { get; private set; }

    /// <summary>Heads of the requests, in the order they came.</summary>
    public ConcurrentQueue<string> Requests { get; } = new();

    /// <summary>The SNI names that clients sent.</summary>
    public ConcurrentQueue<string> ServerNames { get; } = new();

    public IEnumerable<FakeRelayClient> Clients => _clients.Keys;

    /// <summary>The next client that is let in.</summary>
    public async Task<FakeRelayClient> NextClientAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        return await _arrivals.Reader.ReadAsync(patience.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        foreach (FakeRelayClient client in _clients.Keys)
            client.Cut();
        await Task.WhenAll(_clients.Values);
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            Socket socket;
            try
            {
                socket = await _listener.AcceptSocketAsync(_stop.Token);
            }
            catch (Exception exception) when (exception is OperationCanceledException or SocketException or InvalidOperationException)
            {
                return;
            }

            Connections++;
            socket.NoDelay = true;
            var client = new FakeRelayClient(this, socket);
            _clients[client] = Task.CompletedTask;
            _clients[client] = ServeAsync(client);
        }
    }

    private async Task ServeAsync(FakeRelayClient client)
    {
        await Task.Yield();
        try
        {
            if (await client.OpenAsync(_stop.Token))
            {
                _arrivals.Writer.TryWrite(client);
                await client.ServeAsync(_stop.Token);
            }
        }
        catch (Exception exception) when (exception is IOException or WebSocketException or OperationCanceledException or ObjectDisposedException
            or System.Security.Authentication.AuthenticationException)
        {
            // The client is gone, or does not trust the certificate.
        }
        finally
        {
            client.Cut();
            _clients.TryRemove(client, out _);
        }
    }
}

/// <summary>The relay's end of one connection.</summary>
internal sealed class FakeRelayClient(FakeRelay relay, Socket socket) : IDisposable
{
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly Channel<byte[]> _received = Channel.CreateUnbounded<byte[]>();
    private readonly TaskCompletionSource _goodbye = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private WebSocket? _webSocket;
    private Stream? _stream;
    private TapStream? _tap;

    public EndpointId Id { get; private set; }

    /// <summary>Completes when the client has sent a close frame with status 1000.</summary>
    public Task SaidGoodbye => _goodbye.Task;

    /// <summary>Reads nothing more: the client's data pile up.</summary>
    public bool IsDeaf { get; set; }

    /// <summary>The next message of the client that is no ping.</summary>
    public async Task<byte[]> NextMessageAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        return await _received.Reader.ReadAsync(patience.Token);
    }

    public bool TryNextMessage(out byte[]? message) => _received.Reader.TryRead(out message);

    public async Task SendAsync(byte[] message)
    {
        await _sending.WaitAsync();
        try
        {
            await _webSocket!.SendAsync(message, WebSocketMessageType.Binary, true, CancellationToken.None);
        }
        finally
        {
            _sending.Release();
        }
    }

    public Task SendTextAsync(string text) =>
        _webSocket!.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true, CancellationToken.None);

    /// <summary>Sends one message in fragments.</summary>
    public async Task SendFragmentsAsync(params byte[][] fragments)
    {
        for (int i = 0; i < fragments.Length; i++)
            await _webSocket!.SendAsync(fragments[i], WebSocketMessageType.Binary, i == fragments.Length - 1, CancellationToken.None);
    }

    /// <summary>Waits for a WebSocket pong with this payload, which the class library hides.</summary>
    public async Task UntilPongAsync(string payload)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!_tap!.HasFrame(0x8a, Encoding.ASCII.GetBytes(payload)))
            await Task.Delay(5, patience.Token);
    }

    /// <summary>Sends bytes below the WebSocket.</summary>
    public async Task SendRawAsync(byte[] bytes) => await _stream!.WriteAsync(bytes);

    public void Cut() => Dispose();

    public void Dispose()
    {
        socket.Dispose();
        _received.Writer.TryComplete();
    }

    public async Task<bool> OpenAsync(CancellationToken cancellationToken)
    {
        _stream = new NetworkStream(socket, ownsSocket: true);
        if (relay.Certificate is { } certificate)
        {
            var secure = new SslStream(_stream);
            await secure.AuthenticateAsServerAsync(
                new SslServerAuthenticationOptions
                {
                    ServerCertificateSelectionCallback = (_, name) =>
                    {
                        relay.ServerNames.Enqueue(name ?? "");
                        return certificate;
                    },
                },
                cancellationToken);
            _stream = secure;
        }

        string head = await ReadHeadAsync(cancellationToken);
        relay.Requests.Enqueue(head);
        if (relay.IsMute)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            return false;
        }

        if (relay.RefuseWith is { } refusal)
        {
            await _stream.WriteAsync(Encoding.ASCII.GetBytes(refusal), cancellationToken);
            return false;
        }

        string key = head.Split("Sec-WebSocket-Key: ")[1].Split("\r\n")[0];
#pragma warning disable CA5350 // RFC 6455 has SHA-1 here.
        string accept = Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
#pragma warning restore CA5350
        string subprotocol = relay.Subprotocol is { } name ? $"Sec-WebSocket-Protocol: {name}\r\n" : "";
        await _stream.WriteAsync(
            Encoding.ASCII.GetBytes(
                $"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: {accept}\r\n{subprotocol}\r\n"),
            cancellationToken);
        _tap = new TapStream(_stream);
        _webSocket = WebSocket.CreateFromStream(_tap, new WebSocketCreationOptions { IsServer = true });
        return await AuthenticateAsync(cancellationToken);
    }

    public async Task ServeAsync(CancellationToken cancellationToken)
    {
        while (await ReceiveAsync(cancellationToken) is { } message)
        {
            if (message[0] == (byte)RelayFrameType.Ping)
            {
                if (relay.IgnoresPings)
                    continue;
                message[0] = (byte)RelayFrameType.Pong;
                await SendAsync(message);
                continue;
            }

            byte[] original = [.. message];
            _received.Writer.TryWrite(original);
            if (!RelayFrame.TryRead(message, RelayRole.Client, RelayVersion.V2, out RelayFrame frame, out _) || !frame.IsDatagram)
                continue;
            EndpointId to = EndpointId.FromBytes(frame.Peer);
            byte[] forwarded = RelayFrame.Forward(message, Id).ToArray();
            if (relay.Clients.FirstOrDefault(client => client.Id == to) is { } destination)
                await destination.SendAsync(forwarded);
        }
    }

    private async Task<bool> AuthenticateAsync(CancellationToken cancellationToken)
    {
        byte[] challenge = RandomNumberGenerator.GetBytes(RelayHandshake.ChallengeLength);
        if (!relay.SkipsChallenge)
        {
            byte[] message = new byte[RelayHandshake.ServerChallengeLength];
            RelayHandshake.WriteServerChallenge(message, challenge);
            await SendAsync(message);
            byte[]? answer = await ReceiveAsync(cancellationToken);
            if (!RelayHandshake.TryReadClientAuth(answer, out EndpointId id, out ReadOnlySpan<byte> signature)
                || !RelayHandshake.Verify(id, challenge, signature))
                throw new InvalidOperationException("The client did not answer the challenge.");
            Id = id;
        }

        await SendAsync(relay.Denial is { } denial ? RelayHandshake.ServerDeniesAuth(denial) : [(byte)RelayFrameType.ServerConfirmsAuth]);
        return relay.Denial is null;
    }

    private async Task<byte[]?> ReceiveAsync(CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[RelayFrame.BodyLengthMax + 100];
        int length = 0;
        while (true)
        {
            if (IsDeaf)
                await Task.Delay(Timeout.Infinite, cancellationToken);
            ValueWebSocketReceiveResult result = await _webSocket!.ReceiveAsync(buffer.AsMemory(length), cancellationToken);
            if (result.MessageType == WebSocketMessageType.Close)
            {
                if (_webSocket.CloseStatus == WebSocketCloseStatus.NormalClosure)
                    _goodbye.TrySetResult();
                return null;
            }

            length += result.Count;
            if (result.EndOfMessage)
                return buffer[..length];
        }
    }

    private async Task<string> ReadHeadAsync(CancellationToken cancellationToken)
    {
        var head = new StringBuilder();
        byte[] one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await _stream!.ReadAsync(one, cancellationToken) == 0)
                throw new IOException("no request");
            head.Append((char)one[0]);
        }

        return head.ToString();
    }
}

/// <summary>Remembers what is read from another stream.</summary>
internal sealed class TapStream(Stream inner) : AsyncStream
{
    private readonly Lock _lock = new();
    private readonly List<byte> _read = [];

    /// <summary>Whether a short masked frame with this first byte and payload has been read.</summary>
    public bool HasFrame(byte first, byte[] payload)
    {
        byte[] read;
        lock (_lock)
            read = [.. _read];
        for (int at = 0; at + 6 + payload.Length <= read.Length; at++)
        {
            if (read[at] != first || read[at + 1] != (0x80 | payload.Length))
                continue;
            byte[] unmasked = [.. payload.Select((_, i) => (byte)(read[at + 6 + i] ^ read[at + 2 + (i % 4)]))];
            if (unmasked.AsSpan().SequenceEqual(payload))
                return true;
        }

        return false;
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int count = await inner.ReadAsync(buffer, cancellationToken);
        // The tests that look send little.
        lock (_lock)
        {
            if (_read.Count < 10_000)
                _read.AddRange(buffer.Span[..count]);
        }

        return count;
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        inner.WriteAsync(buffer, cancellationToken);

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);
}
