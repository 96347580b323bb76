using System.Net;
using Iroh.Quic;

namespace QuicBench;

/// <summary>Endpoints on loopback with fixed keys.</summary>
internal static class Endpoints
{
    private static readonly ReadOnlyMemory<byte> Protocol = "bench"u8.ToArray();

    public static QuicEndpoint Create(byte key) => QuicEndpoint.Create(new QuicEndpointOptions
    {
        LocalEndPoints = [new IPEndPoint(IPAddress.Loopback, 0)],
        PrivateKeySeed = Enumerable.Repeat(key, 32).ToArray(),
        ApplicationProtocols = [Protocol],
    });

    public static QuicConnectOptions Dial(IPEndPoint remote) => new() { RemoteEndPoints = [remote], ApplicationProtocols = [Protocol] };

    public static async Task<(QuicConnection Client, QuicConnection Server)> ConnectAsync(QuicEndpoint client, QuicEndpoint server)
    {
        QuicConnection dialled = await client.ConnectAsync(Dial(server.LocalEndPoints[0]));
        return (dialled, (await server.AcceptAsync())!);
    }
}
