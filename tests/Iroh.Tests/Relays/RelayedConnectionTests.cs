using System.Net;
using Iroh.Base;
using Iroh.Quic;
using Iroh.Relay.Server;

namespace Iroh.Tests.Relays;

/// <summary>Endpoints of ours over a relay of ours.</summary>
public class RelayedConnectionTests
{
    private const string Protocol = "test/1";
    private const int Timeout = 60_000;

    private static readonly IPEndPoint s_anyLoopback = new(IPAddress.Loopback, 0);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact(Timeout = Timeout)]
    public async Task An_endpoint_is_found_at_its_home_relay_and_data_passes_both_ways()
    {
        await using RelayServer relay = await RelayServer.StartAsync(new RelayServerOptions { Http = s_anyLoopback }, Cancel);
        await using IrohEndpoint server = await BindAsync(relay.Url);
        await server.WaitOnlineAsync(Cancel);
        Assert.Equal(relay.Url, server.HomeRelay);
        Assert.Contains(TransportAddress.Relay(relay.Url), server.Address.Addresses);
        await using IrohEndpoint client = await BindAsync();

        await using IrohConnection dialled = await client.ConnectAsync(OnlyRelay(server, relay), Protocol, Cancel);
        await using IrohConnection accepted = (await server.AcceptAsync(Cancel))!;

        byte[] data = new byte[500_000];
        new Random(1).NextBytes(data);
        Task echo = EchoAsync(accepted);
        await using QuicStream stream = await dialled.OpenBidirectionalStreamAsync(Cancel);
        Task write = stream.WriteAsync(data, Cancel).AsTask();
        byte[] back = new byte[data.Length];
        await stream.ReadExactlyAsync(back, Cancel);
        await write;
        Assert.Equal(data, back);
        stream.CompleteWrites();
        await echo;
    }

    [Fact(Timeout = Timeout)]
    public async Task A_relayed_connection_becomes_direct_and_keeps_the_relay_as_a_backup()
    {
        await using RelayServer relay = await RelayServer.StartAsync(new RelayServerOptions { Http = s_anyLoopback }, Cancel);
        await using IrohEndpoint server = await BindAsync(relay.Url);
        await server.WaitOnlineAsync(Cancel);
        await using IrohEndpoint client = await BindAsync();

        await using IrohConnection dialled = await client.ConnectAsync(OnlyRelay(server, relay), Protocol, Cancel);
        await using IrohConnection accepted = (await server.AcceptAsync(Cancel))!;

        foreach (IrohConnection connection in new[] { dialled, accepted })
        {
            await foreach (IReadOnlyList<IrohPath> paths in connection.WatchPathsAsync(Cancel))
            {
                if (paths.Any(path => path is { Kind: IrohPathKind.Direct, IsSelected: true })
                    && paths.Any(path => path is { Kind: IrohPathKind.Relay, IsSelected: false }))
                    break;
            }
        }

        Assert.Equal(TransportAddress.Ip(server.BoundSockets[0]), dialled.Path.Remote);
    }

    [Fact(Timeout = Timeout)]
    public async Task A_direct_connection_gets_the_relay_as_a_backup()
    {
        await using RelayServer relay = await RelayServer.StartAsync(new RelayServerOptions { Http = s_anyLoopback }, Cancel);
        await using IrohEndpoint server = await BindAsync(relay.Url);
        await server.WaitOnlineAsync(Cancel);
        await using IrohEndpoint client = await BindAsync();

        await using IrohConnection dialled = await client.ConnectAsync(server.Address, Protocol, Cancel);
        await using IrohConnection accepted = (await server.AcceptAsync(Cancel))!;

        await foreach (IReadOnlyList<IrohPath> paths in dialled.WatchPathsAsync(Cancel))
        {
            if (paths.Count == 2)
                break;
        }

        Assert.Equal([IrohPathKind.Direct, IrohPathKind.Relay], dialled.Paths.Select(path => path.Kind).Order());
        Assert.Equal(IrohPathKind.Direct, dialled.Path.Kind);
    }

    [Fact(Timeout = Timeout)]
    public async Task Without_relays_a_relayed_address_cannot_be_dialled()
    {
        await using IrohEndpoint client = await IrohEndpoint.BindAsync(
            new IrohEndpointOptions { BindAddresses = [s_anyLoopback], UseRelays = false }, Cancel);
        var address = new EndpointAddress(SecretKey.Generate().PublicKey, [TransportAddress.Relay(RelayUrl.Parse("http://127.0.0.1:9"))]);

        IrohConnectException failure = await Assert.ThrowsAsync<IrohConnectException>(() => client.ConnectAsync(address, Protocol, Cancel));

        Assert.Equal(IrohConnectFailure.NoAddress, failure.Failure);
    }

    private static async Task EchoAsync(IrohConnection connection)
    {
        await using QuicStream stream = await connection.AcceptBidirectionalStreamAsync(Cancel);
        await stream.CopyToAsync(stream, Cancel);
        stream.CompleteWrites();
    }

    private static EndpointAddress OnlyRelay(IrohEndpoint endpoint, RelayServer relay) => new(endpoint.Id, [TransportAddress.Relay(relay.Url)]);

    private static Task<IrohEndpoint> BindAsync(params RelayUrl[] relays) => IrohEndpoint.BindAsync(
        new IrohEndpointOptions
        {
            BindAddresses = [s_anyLoopback],
            ApplicationProtocols = [Protocol],
            Relays = [.. relays.Select(url => new RelayConfiguration(url))],
        },
        Cancel);
}
