using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Iroh.Base;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Protocol;
using Iroh.Relay.Server.Clients;

namespace Iroh.Relay.Server.Tests.Relaying;

/// <summary>A client of a relay, frame by frame, that also sends what no honest client would. Over TCP, TLS, or memory alone.</summary>
internal sealed class FrameClient : IAsyncDisposable
{
    // A message of the longest frame and its header.
    private const int SendMax = 128 * 1024;

    private readonly PipeReader _reader;
    private readonly PipeWriter _writer;
    private readonly IDisposable? _socket;

    private FrameClient(PipeReader reader, PipeWriter writer, SecretKey key, IDisposable? socket) =>
        (_reader, _writer, Key, _socket) = (reader, writer, key, socket);

    public SecretKey Key { get; }

    public EndpointId Id => Key.PublicKey;

    /// <summary>What the relay's close frame said; 0 before it came.</summary>
    public int CloseCode { get; private set; }

    /// <summary>In memory: ends when the relay has let go of this client. Over TCP: ended.</summary>
    public Task Served { get; private set; } = Task.CompletedTask;

    /// <summary>In memory: whether the relay broke the connection off.</summary>
    public bool IsAborted { get; private set; }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>A client that the relay serves over two pipes. Nothing is sent yet.</summary>
    /// <param name="relay">The relay.</param>
    /// <param name="key">The client's key; a new one by default.</param>
    /// <param name="version">The version spoken.</param>
    /// <param name="token">What it shows.</param>
    /// <param name="window">How many bytes the way to the client takes before the relay has to wait.</param>
    public static FrameClient InMemory(
        RelayService relay, SecretKey? key = null, RelayVersion version = RelayVersion.V2, string? token = null, int window = 65_536)
    {
        var up = new Pipe();
        var down = new Pipe(new PipeOptions(pauseWriterThreshold: window, resumeWriterThreshold: window / 2, useSynchronizationContext: false));
        var client = new FrameClient(down.Reader, up.Writer, key ?? SecretKey.Generate(), socket: null);
        Assert.True(relay.TryOpen());

        var aborted = new CancellationTokenSource();

        void Abort()
        {
            client.IsAborted = true;
            aborted.Cancel();
            up.Writer.Complete();
            down.Reader.CancelPendingRead();
            down.Reader.Complete();
        }

        async Task ServeAsync()
        {
            await relay.ServeAsync(new RelayTransport(new MemoryPipe(up.Reader, down.Writer), Abort, aborted.Token), version, token, IPAddress.Loopback);
            relay.Release();
            await down.Writer.CompleteAsync();
            await up.Reader.CompleteAsync();
        }

        client.Served = ServeAsync();
        return client;
    }

    /// <summary>Connects over TCP and upgrades; over TLS if the thumbprint of the relay's certificate is given.</summary>
    public static async Task<FrameClient> ConnectAsync(
        IPEndPoint address, SecretKey? key = null, RelayVersion version = RelayVersion.V2, string? token = null, string? thumbprint = null, string query = "")
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(address, Cancel);
        Stream stream = new NetworkStream(socket, ownsSocket: true);
        if (thumbprint is not null)
        {
            var secure = new SslStream(
                stream, leaveInnerStreamOpen: false, (_, certificate, _, _) => certificate is X509Certificate2 shown && shown.Thumbprint == thumbprint);
            await secure.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "relay.test" }, Cancel);
            stream = secure;
        }

        var client = new FrameClient(PipeReader.Create(stream), PipeWriter.Create(stream), key ?? SecretKey.Generate(), stream);
        string authorization = token is null ? "" : $"authorization: Bearer {token}\r\n";
        string request = $"GET /relay{query} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Key: OPF2iee9dmy3rdja1kVbsw==\r\nSec-WebSocket-Version: 13\r\n"
            + $"sec-websocket-protocol: {version.ToSubprotocol()}\r\n{authorization}\r\n";
        await client.SendRawAsync(Encoding.ASCII.GetBytes(request));
        string head = await client.ReadHeadAsync();
        Assert.StartsWith("HTTP/1.1 101 ", head);
        return client;
    }

    /// <summary>Answers the challenge and waits to be let in.</summary>
    /// <returns>This client.</returns>
    public async Task<FrameClient> AuthenticateAsync()
    {
        await SendAsync(await AnswerChallengeAsync());
        byte[]? confirmation = await ReceiveAsync();
        Assert.NotNull(confirmation);
        Assert.Equal([(byte)RelayFrameType.ServerConfirmsAuth], confirmation);
        return this;
    }

    /// <summary>Reads the challenge.</summary>
    /// <returns>The answer, not yet sent.</returns>
    public async Task<byte[]> AnswerChallengeAsync()
    {
        byte[]? message = await ReceiveAsync();
        Assert.True(RelayHandshake.TryReadServerMessage(message, out RelayServerMessage challenge));
        byte[] answer = new byte[RelayHandshake.ClientAuthLength];
        RelayHandshake.WriteClientAuth(answer, Key, challenge.Challenge);
        return answer;
    }

    public Task SendAsync(ReadOnlySpan<byte> frame) => SendRawAsync(Mask(0x82, frame));

    public Task SendDatagramAsync(EndpointId to, ReadOnlySpan<byte> payload, EcnCodepoint ecn = default, ushort segmentSize = 0)
    {
        byte[] frame = new byte[RelayFrame.BatchHeaderLength + payload.Length];
        int length = RelayFrameWriter.WriteDatagram(frame, RelayRole.Client, to, ecn, segmentSize, payload);
        return SendAsync(frame.AsSpan(0, length));
    }

    public async Task SendRawAsync(ReadOnlyMemory<byte> bytes) => await _writer.WriteAsync(bytes, Cancel);

    /// <summary>A frame as a client sends it.</summary>
    /// <param name="first">The first byte: final bit and opcode.</param>
    /// <param name="payload">Its payload, which is masked.</param>
    public static byte[] Mask(byte first, ReadOnlySpan<byte> payload)
    {
        byte[] mask = [0x12, 0x34, 0x56, 0x78];
        byte[] message = new byte[14 + payload.Length];
        message[0] = first;
        int length = 2;
        if (payload.Length <= 125)
        {
            message[1] = (byte)(0x80 | payload.Length);
        }
        else if (payload.Length <= ushort.MaxValue)
        {
            message[1] = 0x80 | 126;
            BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), (ushort)payload.Length);
            length += 2;
        }
        else
        {
            message[1] = 0x80 | 127;
            BinaryPrimitives.WriteUInt64BigEndian(message.AsSpan(2), (ulong)payload.Length);
            length += 8;
        }

        mask.CopyTo(message, length);
        length += mask.Length;
        for (int i = 0; i < payload.Length; i++)
            message[length + i] = (byte)(payload[i] ^ mask[i & 3]);
        return message[..(length + payload.Length)];
    }

    /// <summary>The next binary message; null when the relay has closed.</summary>
    public async Task<byte[]?> ReceiveAsync()
    {
        while (await ReceiveAnyAsync() is var (opcode, payload))
        {
            if (opcode == 0x2)
                return payload;
            if (opcode != 0x8)
                continue;
            CloseCode = BinaryPrimitives.ReadUInt16BigEndian(payload);
            return null;
        }

        return null;
    }

    /// <summary>The next WebSocket message; null at the end of the connection.</summary>
    public async Task<(int Opcode, byte[] Payload)?> ReceiveAnyAsync()
    {
        while (true)
        {
            ReadResult result;
            try
            {
                result = await _reader.ReadAsync(Cancel);
            }
            catch (Exception exception) when (exception is IOException or InvalidOperationException)
            {
                return null;
            }

            if (TryParse(result.Buffer, out (int Opcode, byte[] Payload) message, out SequencePosition used))
            {
                _reader.AdvanceTo(used);
                return message;
            }

            if (result.IsCompleted || result.IsCanceled)
                return null;
            _reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        }
    }

    /// <summary>The next datagram; other frames on the way are an error.</summary>
    public async Task<(EndpointId Source, byte[] Payload)> ReceiveDatagramAsync()
    {
        byte[]? message = await ReceiveAsync();
        Assert.NotNull(message);
        Assert.True(RelayFrame.TryRead(message, RelayRole.Relay, RelayVersion.V2, out RelayFrame frame, out RelayFrameError error), $"{error}");
        Assert.True(frame.IsDatagram, $"{frame.Type}");
        return (EndpointId.FromBytes(frame.Peer), frame.Payload.ToArray());
    }

    /// <summary>Shows that all before was worked on, in both directions: the answer to a ping comes first of what waits.</summary>
    public async Task PingAsync(ulong data)
    {
        byte[] frame = new byte[RelayFrame.PingLength];
        RelayFrameWriter.WritePing(frame, data);
        await SendAsync(frame);
        frame[0] = (byte)RelayFrameType.Pong;
        Assert.Equal(frame, await ReceiveAsync());
    }

    public async ValueTask DisposeAsync()
    {
        await _writer.CompleteAsync();
        await _reader.CompleteAsync();
        _socket?.Dispose();
        await Served;
    }

    private async Task<string> ReadHeadAsync()
    {
        while (true)
        {
            ReadResult result = await _reader.ReadAsync(Cancel);
            var sequence = new SequenceReader<byte>(result.Buffer);
            if (sequence.TryReadTo(out ReadOnlySequence<byte> head, "\r\n\r\n"u8))
            {
                string text = Encoding.ASCII.GetString(head);
                _reader.AdvanceTo(sequence.Position);
                return text;
            }

            Assert.False(result.IsCompleted, "the connection ended within the answer to the upgrade");
            _reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        }
    }

    private static bool TryParse(ReadOnlySequence<byte> buffer, out (int Opcode, byte[] Payload) message, out SequencePosition used)
    {
        message = default;
        used = default;
        var reader = new SequenceReader<byte>(buffer);
        if (!reader.TryRead(out byte first) || !reader.TryRead(out byte second))
            return false;
        Assert.Equal(0x80, first & 0xf0);
        Assert.Equal(0, second & 0x80);
        long length = second;
        if (second == 126)
        {
            if (!reader.TryReadBigEndian(out short value))
                return false;
            length = (ushort)value;
        }
        else if (second == 127 && !reader.TryReadBigEndian(out length))
        {
            return false;
        }

        Assert.InRange(length, 0, SendMax);
        if (reader.Remaining < length)
            return false;
        message = (first & 0x0f, buffer.Slice(reader.Position, length).ToArray());
        used = buffer.GetPosition(length, reader.Position);
        return true;
    }

    private sealed record MemoryPipe(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
