using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Blixard.Testing.NatLab;

/// <summary>
/// A STUN server on the lab's server, at both of its addresses and in both families (RFC 8489: binding requests alone, answered with
/// XOR-MAPPED-ADDRESS). In this process, as it is small. One owner.
/// </summary>
public sealed class LabStunServer : IAsyncDisposable
{
    /// <summary>Where it listens.</summary>
    public const int Port = 3478;

    private const uint Cookie = 0x2112A442;
    private const int HeaderLength = 20;

    private readonly List<Socket> _sockets = [];
    private readonly List<Task> _serving = [];

    private LabStunServer()
    {
    }

    /// <summary>Starts it.</summary>
    public static async Task<LabStunServer> StartAsync(InternetLab lab)
    {
        var server = new LabStunServer();
        foreach (IPAddress address in new[] { lab.Server.Address, InternetLab.SecondServerAddress, lab.Server.AddressV6!, InternetLab.SecondServerAddressV6 })
        {
            Socket socket = await LabSocket.BindUdpAsync(lab.Server, new IPEndPoint(address, Port)).ConfigureAwait(false);
            server._sockets.Add(socket);
            server._serving.Add(ServeAsync(socket));
        }

        return server;
    }

    /// <summary>Stops it.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (Socket socket in _sockets)
            socket.Dispose();
        await Task.WhenAll(_serving).ConfigureAwait(false);
    }

    private static async Task ServeAsync(Socket socket)
    {
        byte[] request = new byte[2048];
        try
        {
            while (true)
            {
                SocketReceiveFromResult received = await socket.ReceiveFromAsync(request, SocketFlags.None, socket.LocalEndPoint!).ConfigureAwait(false);
                if (Answer(request.AsSpan(0, received.ReceivedBytes), (IPEndPoint)received.RemoteEndPoint) is { } answer)
                    await socket.SendToAsync(answer, SocketFlags.None, received.RemoteEndPoint).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException)
        {
            // Disposed.
        }
    }

    // Type 0x0001 is a binding request, 0x0101 its answer; both carry the cookie and a transaction id of 12 bytes.
    private static byte[]? Answer(ReadOnlySpan<byte> request, IPEndPoint from)
    {
        if (request.Length < HeaderLength || BinaryPrimitives.ReadUInt16BigEndian(request) != 0x0001 || BinaryPrimitives.ReadUInt32BigEndian(request[4..]) != Cookie)
            return null;
        byte[] address = from.Address.GetAddressBytes();
        byte[] answer = new byte[HeaderLength + 8 + address.Length];
        BinaryPrimitives.WriteUInt16BigEndian(answer, 0x0101);
        BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(2), (ushort)(8 + address.Length));
        request[4..HeaderLength].CopyTo(answer.AsSpan(4));
        Span<byte> attribute = answer.AsSpan(HeaderLength);
        BinaryPrimitives.WriteUInt16BigEndian(attribute, 0x0020); // XOR-MAPPED-ADDRESS
        BinaryPrimitives.WriteUInt16BigEndian(attribute[2..], (ushort)(4 + address.Length));
        attribute[5] = (byte)(address.Length == 4 ? 1 : 2);
        BinaryPrimitives.WriteUInt16BigEndian(attribute[6..], (ushort)(from.Port ^ (Cookie >> 16)));
        for (int i = 0; i < address.Length; i++)
            attribute[8 + i] = (byte)(address[i] ^ request[4 + i]);
        return answer;
    }
}
