using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Tests;

/// <summary>Ways for datagrams beside the endpoint's own QUIC over UDP: virtual transports, addresses learnt late, other protocols.</summary>
public class OtherWaysTests
{
    private const int Timeout = 60_000;

    private static readonly NetworkAddress s_toServer = NetworkAddress.Virtual(7);
    private static readonly NetworkAddress s_toClient = NetworkAddress.Virtual(9);

    [Fact(Timeout = Timeout)]
    public async Task A_connection_comes_up_and_carries_data_over_a_virtual_transport_alone()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using var there = new MemoryWay(s_toClient);
        await using var back = new MemoryWay(s_toServer);
        await using QuicEndpoint server = Create(1, back);
        await using QuicEndpoint client = Create(2, there);
        there.Connect(server);
        back.Connect(client);

        QuicConnection dialled = await client.ConnectAsync(
            new QuicConnectOptions { VirtualRemotes = [s_toServer], ApplicationProtocols = [EndpointPair.Protocol] }, stop);
        QuicConnection accepted = (await server.AcceptAsync(stop))!;

        Assert.Equal(s_toServer, dialled.RemoteAddress);
        Assert.Equal(s_toClient, accepted.RemoteAddress);
        byte[] data = EndpointPair.Bytes(300_000);
        QuicStream outgoing = await dialled.OpenUnidirectionalStreamAsync(stop);
        Task write = outgoing.WriteAsync(data, stop).AsTask();
        QuicStream incoming = await accepted.AcceptUnidirectionalStreamAsync(stop);
        byte[] received = new byte[data.Length];
        await incoming.ReadExactlyAsync(received, stop);
        await write;
        Assert.Equal(data, received);
    }

    [Fact(Timeout = Timeout)]
    public async Task An_address_that_becomes_known_while_dialling_gets_what_the_others_got()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        using var silent = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        silent.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        await using QuicEndpoint server = EndpointPair.CreateEndpoint(1, IPAddress.Loopback);
        await using QuicEndpoint client = EndpointPair.CreateEndpoint(2, IPAddress.Loopback);

        QuicAttempt attempt = client.StartConnect(
            new QuicConnectOptions { RemoteEndPoints = [(IPEndPoint)silent.LocalEndPoint!], ApplicationProtocols = [EndpointPair.Protocol] });
        byte[] first = new byte[2000];
        Assert.True(await silent.ReceiveAsync(first, stop) >= 1200);
        attempt.AddRemote(NetworkAddress.From(server.LocalEndPoints[0]));

        QuicConnection connection = await attempt.WaitAsync(stop);
        Assert.Equal(server.LocalEndPoints[0], connection.RemoteEndPoint);
    }

    [Fact(Timeout = Timeout)]
    public async Task Datagrams_of_another_protocol_share_the_socket()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        var sink = new Sink();
        await using QuicEndpoint endpoint = QuicEndpoint.Create(new QuicEndpointOptions
        {
            LocalEndPoints = [new IPEndPoint(IPAddress.Loopback, 0)],
            PrivateKeySeed = EndpointPair.Seed(1),
            OtherDatagrams = sink,
        });
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        other.Bind(new IPEndPoint(IPAddress.Loopback, 0));

        await other.SendToAsync(new byte[] { 0x01, 2, 3 }, endpoint.LocalEndPoints[0], stop);
        (FourTuple path, byte[] datagram) = await sink.Received.Reader.ReadAsync(stop);
        Assert.Equal([1, 2, 3], datagram);
        Assert.Equal(NetworkAddress.From((IPEndPoint)other.LocalEndPoint!), path.Remote);

        Assert.True(endpoint.SendDatagram(path, [0, 9]));
        byte[] answer = new byte[10];
        SocketReceiveFromResult result = await other.ReceiveFromAsync(answer, endpoint.LocalEndPoints[0], stop);
        Assert.Equal(endpoint.LocalEndPoints[0], result.RemoteEndPoint);
        Assert.Equal([0, 9], answer[..result.ReceivedBytes]);
        Assert.Throws<ArgumentException>(() => endpoint.SendDatagram(path, [0x40]));
    }

    private static QuicEndpoint Create(byte key, IVirtualTransport way) => QuicEndpoint.Create(new QuicEndpointOptions
    {
        LocalEndPoints = [new IPEndPoint(IPAddress.Loopback, 0)],
        PrivateKeySeed = EndpointPair.Seed(key),
        ApplicationProtocols = [EndpointPair.Protocol],
        VirtualTransport = way,
    });

    /// <summary>Carries datagrams to another endpoint, to which they come from <paramref name="source"/>.</summary>
    private sealed class MemoryWay(NetworkAddress source) : IVirtualTransport, IAsyncDisposable
    {
        private readonly Channel<(byte[] Payload, int SegmentSize)> _queue = Channel.CreateUnbounded<(byte[], int)>();
        private Task _carrying = Task.CompletedTask;

        public void Connect(QuicEndpoint receiver) => _carrying = Task.Run(async () =>
        {
            await foreach ((byte[] payload, int segmentSize) in _queue.Reader.ReadAllAsync())
                receiver.Deliver(source, EcnCodepoint.NotEct, payload, segmentSize);
        });

        public void Send(NetworkAddress remote, EcnCodepoint ecn, ReadOnlySpan<byte> payload, int segmentSize) =>
            _queue.Writer.TryWrite((payload.ToArray(), segmentSize));

        public async ValueTask DisposeAsync()
        {
            _queue.Writer.Complete();
            await _carrying;
        }
    }

    private sealed class Sink : IDatagramSink
    {
        public Channel<(FourTuple Path, byte[] Datagram)> Received { get; } = Channel.CreateUnbounded<(FourTuple, byte[])>();

        public void OnDatagram(FourTuple path, ReadOnlySpan<byte> datagram) => Received.Writer.TryWrite((path, datagram.ToArray()));
    }
}
