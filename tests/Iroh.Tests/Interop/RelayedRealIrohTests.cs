using System.Net;
using System.Text.Json.Nodes;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Quic;
using Iroh.Relay.Server;

namespace Iroh.Tests.Interop;

/// <summary>The real iroh and ours over our relay, at first with nothing but the relay known of each other.</summary>
public sealed class RelayedRealIrohTests : IAsyncLifetime
{
    private const string Protocol = "interop/1";
    private const int Timeout = 120_000;

    private IrohPeer _peer = null!;
    private RelayServer _relay = null!;
    private IrohEndpoint _ours = null!;
    private int _theirs;
    private EndpointId _theirId;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var anyLoopback = new IPEndPoint(IPAddress.Loopback, 0);
        _relay = await RelayServer.StartAsync(new RelayServerOptions { Http = anyLoopback }, Cancel);
        _peer = IrohPeer.Start();
        JsonNode bound = await _peer.CallAsync(
            "bind", new { alpns = new[] { Protocol }, address = "127.0.0.1:0", relays = new[] { new { url = _relay.Url.ToString() } } }, Cancel);
        _theirs = bound["endpoint"]!.GetValue<int>();
        _theirId = EndpointId.Parse(bound["endpointId"]!.GetValue<string>());
        _ours = await IrohEndpoint.BindAsync(
            new IrohEndpointOptions { BindAddresses = [anyLoopback], ApplicationProtocols = [Protocol], Relays = [new RelayConfiguration(_relay.Url)] },
            Cancel);
        await _peer.CallAsync("online", new { endpoint = _theirs }, Cancel);
        await _ours.WaitOnlineAsync(Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        await _ours.DisposeAsync();
        await _peer.DisposeAsync();
        await _relay.DisposeAsync();
    }

    [Fact(Timeout = Timeout)]
    public async Task Ours_dials_theirs_over_the_relay_and_both_go_on_directly()
    {
        Task<JsonNode> accepting = _peer.CallAsync("accept", new { endpoint = _theirs }, Cancel);
        await using IrohConnection ours = await _ours.ConnectAsync(new EndpointAddress(_theirId, [TransportAddress.Relay(_relay.Url)]), Protocol, Cancel);
        int theirs = (await accepting)["connection"]!.GetValue<int>();

        await EchoAtTheirsAsync(ours, theirs);
        await UntilDirectAsync(ours);
        await UntilTheirsIsDirectAsync(theirs);
        await EchoAtTheirsAsync(ours, theirs);
    }

    [Fact(Timeout = Timeout)]
    public async Task Theirs_dials_ours_over_the_relay_and_both_go_on_directly()
    {
        string ticket = new EndpointTicket(new EndpointAddress(_ours.Id, [TransportAddress.Relay(_relay.Url)])).ToString();
        Task<JsonNode> dialling = _peer.CallAsync("connect", new { endpoint = _theirs, ticket, alpn = Protocol }, Cancel);
        await using IrohConnection ours = (await _ours.AcceptAsync(Cancel))!;
        int theirs = (await dialling)["connection"]!.GetValue<int>();

        Assert.Equal(_theirId, ours.RemoteId);
        await EchoAtTheirsAsync(ours, theirs);
        await UntilDirectAsync(ours);
        await UntilTheirsIsDirectAsync(theirs);
        await EchoAtTheirsAsync(ours, theirs);
    }

    [Fact(Timeout = Timeout)]
    public async Task A_direct_connection_gets_the_relay_as_a_backup_that_theirs_lists()
    {
        Task<JsonNode> accepting = _peer.CallAsync("accept", new { endpoint = _theirs }, Cancel);
        JsonNode online = await _peer.CallAsync("online", new { endpoint = _theirs }, Cancel);
        EndpointAddress address = EndpointTicket.Parse(online["ticket"]!.GetValue<string>()).Address;
        await using IrohConnection ours = await _ours.ConnectAsync(address, Protocol, Cancel);
        int theirs = (await accepting)["connection"]!.GetValue<int>();

        await UntilDirectAsync(ours);
        await UntilTheirsIsDirectAsync(theirs);
        Assert.Contains(ours.Paths, path => path.Kind == IrohPathKind.Relay);
    }

    private static async Task UntilDirectAsync(IrohConnection ours)
    {
        await foreach (IReadOnlyList<IrohPath> paths in ours.WatchPathsAsync(Cancel))
        {
            if (paths.Any(path => path is { Kind: IrohPathKind.Direct, IsSelected: true }) && paths.Any(path => path.Kind == IrohPathKind.Relay))
                return;
        }

        Assert.Fail($"The connection ended: {await ours.Closed}.");
    }

    private async Task UntilTheirsIsDirectAsync(int connection)
    {
        while (true)
        {
            JsonArray paths = (await _peer.CallAsync("paths", new { connection }, Cancel))["paths"]!.AsArray();
            if (paths.Any(path => path!["isSelected"]!.GetValue<bool>() && path["isIp"]!.GetValue<bool>())
                && paths.Any(path => path!["isRelay"]!.GetValue<bool>()))
                return;
            await Task.Delay(50, Cancel);
        }
    }

    private async Task EchoAtTheirsAsync(IrohConnection ours, int theirs)
    {
        byte[] data = new byte[20_000];
        new Random(3).NextBytes(data);
        await using QuicStream stream = await ours.OpenBidirectionalStreamAsync(Cancel);
        await stream.WriteAsync(data, Cancel);
        stream.CompleteWrites();
        int accepted = (await _peer.CallAsync("acceptBi", new { connection = theirs }, Cancel))["stream"]!.GetValue<int>();
        JsonNode read = await _peer.CallAsync("readAll", new { stream = accepted }, Cancel);
        Assert.Equal(data.Length, read["length"]!.GetValue<int>());
        await _peer.CallAsync("write", new { stream = accepted, data = Convert.ToHexStringLower(data) }, Cancel);
        await _peer.CallAsync("finish", new { stream = accepted }, Cancel);
        using var back = new MemoryStream();
        await stream.CopyToAsync(back, Cancel);
        Assert.Equal(data, back.ToArray());
    }
}
