using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Iroh.Base;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Protocol;

namespace RelayBench;

/// <summary>A client of a relay as thin as can be: a socket that carries WebSocket messages, with a mask of zeros.</summary>
internal sealed class FrameSocket : IDisposable
{
    private const int MaskLength = 4;

    private readonly Socket _socket;
    private readonly byte[] _received = new byte[4096];
    private int _start;
    private int _end;

    private FrameSocket(Socket socket, EndpointId id) => (_socket, Id) = (socket, id);

    public EndpointId Id { get; }

    public Socket Socket => _socket;

    /// <summary>Connects, upgrades and proves a new key.</summary>
    public static async Task<FrameSocket> ConnectAsync(IPEndPoint address)
    {
        var key = SecretKey.Generate();
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(address);
        var client = new FrameSocket(socket, key.PublicKey);
        await socket.SendAsync(Encoding.ASCII.GetBytes(
            $"GET /relay HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: OPF2iee9dmy3rdja1kVbsw==\r\n"
            + $"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {RelayVersions.Offer}\r\n\r\n"));
        int head;
        while ((head = client._received.AsSpan(0, client._end).IndexOf("\r\n\r\n"u8)) < 0)
            await client.FillAsync();
        client._start = head + 4;
        byte[] answer = new byte[RelayHandshake.ClientAuthLength];
        Answer(await client.ReceiveAsync(), key, answer);
        await socket.SendAsync(Message(answer));
        if ((await client.ReceiveAsync()).Span[0] != (byte)RelayFrameType.ServerConfirmsAuth)
            throw new InvalidOperationException("the relay denies access");
        return client;
    }

    /// <summary>A datagram frame in its WebSocket message.</summary>
    public static byte[] Datagram(EndpointId to, int length, ushort segmentSize)
    {
        byte[] frame = new byte[RelayFrame.BatchHeaderLength + length];
        int used = RelayFrameWriter.WriteDatagram(frame, RelayRole.Client, to, EcnCodepoint.NotEct, segmentSize, new byte[length]);
        return Message(frame.AsSpan(0, used));
    }

    /// <summary>The next message of at most 4 KiB; valid until the next call.</summary>
    public async Task<ReadOnlyMemory<byte>> ReceiveAsync()
    {
        while (true)
        {
            if (TryRead(_received.AsSpan(_start, _end - _start), out int header, out int length) && header + length <= _end - _start)
            {
                _start += header + length;
                return _received.AsMemory(_start - length, length);
            }

            await FillAsync();
        }
    }

    /// <summary>Reads a server's header.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out int header, out int length)
    {
        (header, length) = (2, 0);
        if (bytes.Length < 2)
            return false;
        length = bytes[1];
        if (length < 126)
            return true;
        header = length == 126 ? 4 : 10;
        if (bytes.Length < header)
            return false;
        length = header == 4 ? BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]) : (int)BinaryPrimitives.ReadUInt64BigEndian(bytes[2..]);
        return true;
    }

    public void Dispose() => _socket.Dispose();

    private static void Answer(ReadOnlyMemory<byte> challenge, SecretKey key, byte[] answer)
    {
        RelayHandshake.TryReadServerMessage(challenge.Span, out RelayServerMessage message);
        RelayHandshake.WriteClientAuth(answer, key, message.Challenge);
    }

    private static byte[] Message(ReadOnlySpan<byte> frame)
    {
        int header = frame.Length < 126 ? 2 : frame.Length <= ushort.MaxValue ? 4 : 10;
        byte[] message = new byte[header + MaskLength + frame.Length];
        message[0] = 0x82;
        message[1] = (byte)(0x80 | header switch { 2 => frame.Length, 4 => 126, _ => 127 });
        if (header == 4)
            BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), (ushort)frame.Length);
        else if (header == 10)
            BinaryPrimitives.WriteUInt64BigEndian(message.AsSpan(2), (ulong)frame.Length);
        frame.CopyTo(message.AsSpan(header + MaskLength));
        return message;
    }

    private async Task FillAsync()
    {
        if (_start > 0)
        {
            _received.AsSpan(_start, _end - _start).CopyTo(_received);
            (_start, _end) = (0, _end - _start);
        }

        int read = await _socket.ReceiveAsync(_received.AsMemory(_end));
        if (read == 0)
            throw new InvalidOperationException("the relay has closed a connection");
        _end += read;
    }
}
