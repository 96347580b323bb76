using System.Net;
using Iroh.Cryptography;
using Iroh.Quic.Protocol.Connections;

namespace Iroh.Quic.Tests;

/// <summary>Two endpoints on loopback and, once asked for, a connection between them.</summary>
internal sealed class EndpointPair : IAsyncDisposable
{
    public static readonly ReadOnlyMemory<byte> Protocol = "test/1"u8.ToArray();

    /// <summary>Ends before the time limit of the tests, so that what hangs is seen in the test's output.</summary>
    private readonly CancellationTokenSource _slow = new(TimeSpan.FromSeconds(45));

    public EndpointPair(IPAddress? address = null, bool portable = false, ConnectionConfiguration? connections = null)
    {
        IPAddress loopback = address ?? IPAddress.Loopback;
        Server = CreateEndpoint(1, loopback, portable, connections);
        Client = CreateEndpoint(2, loopback, portable, connections);
    }

    public QuicEndpoint Server { get; }

    public QuicEndpoint Client { get; }

    public QuicConnectOptions Dial => new()
    {
        RemoteEndPoints = Server.LocalEndPoints,
        ApplicationProtocols = [Protocol],
        ExpectedPeerPublicKey = Server.PublicKey,
    };

    public static QuicEndpoint CreateEndpoint(
        byte key, IPAddress address, bool portable = false, ConnectionConfiguration? connections = null, int port = 0) =>
        QuicEndpoint.Create(new QuicEndpointOptions
        {
            LocalEndPoints = [new IPEndPoint(address, port)],
            PrivateKeySeed = Seed(key),
            ApplicationProtocols = [Protocol],
            UsePortableSockets = portable,
            Connections = connections ?? new ConnectionConfiguration(),
        });

    public static byte[] Seed(byte key) => [.. Enumerable.Repeat(key, 32)];

    /// <summary>Bytes that differ at every offset of interest, the same for the same seed.</summary>
    public static byte[] Bytes(int length, ulong seed = 7)
    {
        byte[] bytes = new byte[length];
        new SeededRandomSource(seed).Fill(bytes);
        return bytes;
    }

    /// <summary>Connects. If the test then takes long, its output tells the state of both ends.</summary>
    public async Task<(QuicConnection Client, QuicConnection Server)> ConnectAsync(CancellationToken stop)
    {
        ITestOutputHelper? output = TestContext.Current.TestOutputHelper;
        ValueTask<QuicConnection?> accept = Server.AcceptAsync(stop);
        QuicConnection client = await Client.ConnectAsync(Dial, stop);
        _slow.Token.Register(() => output?.WriteLine($"slow; client: closed {client.Closed.IsCompleted}, {client.Statistics}"));
        QuicConnection? server = await accept;
        Assert.NotNull(server);
        _slow.Token.Register(() => output?.WriteLine($"slow; server: closed {server.Closed.IsCompleted}, {server.Statistics}"));
        return (client, server);
    }

    public async ValueTask DisposeAsync()
    {
        _slow.Dispose();
        await Client.DisposeAsync();
        await Server.DisposeAsync();
    }
}
