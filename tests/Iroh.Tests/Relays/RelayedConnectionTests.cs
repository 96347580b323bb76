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
    public async Task When_the_home_relay_dies_another_takes_its_place_and_connections_move_there()
    {
        await using RelayServer first = await RelayServer.StartAsync(new RelayServerOptions { Http = s_anyLoopback }, Cancel);
        await using RelayServer second = await RelayServer.StartAsync(new RelayServerOptions { Http = s_anyLoopback }, Cancel);
        await using IrohEndpoint server = await BindAsync(first.Url, second.Url);
        await server.WaitOnlineAsync(Cancel);
        RelayServer home = first.Url.Equals(server.HomeRelay) ? first : second;
        RelayServer other = home == first ? second : first;
        // No direct way: the two ends are bound to different address families.
        await using IrohEndpoint client = await IrohEndpoint.BindAsync(
            new IrohEndpointOptions
            {
                BindAddresses = [new IPEndPoint(IPAddress.IPv6Loopback, 0)],
                Relays = [new RelayConfiguration(first.Url), new RelayConfiguration(second.Url)],
            },
            Cancel);
        await using IrohConnection dialled = await client.ConnectAsync(OnlyRelay(server, home), Protocol, Cancel);
        await using IrohConnection accepted = (await server.AcceptAsync(Cancel))!;
        Assert.Equal(IrohPathKind.Relay, dialled.Path.Kind);
        await ExchangeAsync(dialled, accepted, "hello"u8.ToArray());

        await home.DisposeAsync();

        await foreach (EndpointAddress address in server.WatchAddressAsync(Cancel))
        {
            if (address.RelayUrls.Contains(other.Url) && !address.RelayUrls.Contains(home.Url))
                break;
        }

        await ExchangeAsync(dialled, accepted, "still there"u8.ToArray());
    }

    [Fact(Timeout = Timeout)]
    public async Task A_relay_that_comes_back_is_used_again_by_those_who_talk_over_it()
    {
        RelayServer relay = await RelayServer.StartAsync(new RelayServerOptions { Http = s_anyLoopback }, Cancel);
        IPEndPoint place = relay.Http!;
        await using IrohEndpoint server = await BindAsync(relay.Url);
        await server.WaitOnlineAsync(Cancel);
        await using IrohEndpoint client = await IrohEndpoint.BindAsync(
            new IrohEndpointOptions { BindAddresses = [new IPEndPoint(IPAddress.IPv6Loopback, 0)] }, Cancel);
        await using IrohConnection dialled = await client.ConnectAsync(OnlyRelay(server, relay), Protocol, Cancel);
        await using IrohConnection accepted = (await server.AcceptAsync(Cancel))!;

        await relay.DisposeAsync();
        await using RelayServer again = await RelayServer.StartAsync(new RelayServerOptions { Http = place }, Cancel);

        await ExchangeAsync(dialled, accepted, "back"u8.ToArray());
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

    private static async Task ExchangeAsync(IrohConnection dialled, IrohConnection accepted, byte[] data)
    {
        Task echo = EchoAsync(accepted);
        await using QuicStream stream = await dialled.OpenBidirectionalStreamAsync(Cancel);
        await stream.WriteAsync(data, Cancel);
        byte[] back = new byte[data.Length];
        await stream.ReadExactlyAsync(back, Cancel);
        Assert.Equal(data, back);
        stream.CompleteWrites();
        await echo;
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
