using System.Net;
using Blixard.Cluster.Tokens;
using Blixard.Node.Tests.Support;
using Iroh.Base;
using Iroh.Dns.Messages;
using Iroh.Dns.Zones;
using Iroh.Lookup;
using Iroh.Relay.Server;
using Iroh.Relay.Server.Names;

namespace Blixard.Node.Tests;

/// <summary>Nodes that are found by their id alone, at a name server of ours.</summary>
public sealed class LookupTests
{
    private const string Zone = "dns.test";

    private static readonly IPEndPoint s_anyLoopback = new(IPAddress.Loopback, 0);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_ticket_without_addresses_lets_a_node_in_that_can_look_its_server_up()
    {
        await using NameServer names = await NameServer.StartAsync(
            new NameServerOptions { Zone = new NameZoneConfiguration { Origins = [DomainName.Parse(Zone)] }, DnsEndPoints = [s_anyLoopback] }, Cancel);
        await using RelayServer server = await RelayServer.StartAsync(
            new RelayServerOptions { Http = s_anyLoopback, Routes = routes => routes.MapNameServer(names) }, Cancel);
        var lookups = new LookupConfiguration
        {
            Pkarr = [new Uri($"http://{server.Http}/pkarr")],
            Dns = [new DnsOrigin(Zone, names.DnsEndPoints[0])],
        };
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one", options => options with { Lookups = lookups });
        JoinTicket ticket = OnlyIds(await one.CreateTicketAsync());
        await UntilPublishedAsync(new PkarrLookup(lookups.Pkarr[0]), ticket.Servers[0].Address.Id);

        NodeStartException lost = await Assert.ThrowsAsync<NodeStartException>(() => cluster.StartAsync("three", new NodeStart.Join(ticket)));
        Assert.Equal(NodeStartFailure.Unreachable, lost.Failure);
        Assert.Contains("the ticket holds no P2P address", lost.Message);

        TestNode two = await cluster.StartAsync("two", new NodeStart.Join(ticket), options => options with { Lookups = lookups with { Pkarr = [] } });
        await two.UntilLinkedAsync("one");
    }

    private static JoinTicket OnlyIds(JoinTicket ticket) =>
        new(ticket.ClusterId, [.. ticket.Servers.Select(server => new TicketServer(new EndpointAddress(server.Address.Id), ""))], ticket.Secret);

    private static async Task UntilPublishedAsync(PkarrLookup lookup, EndpointId id)
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        while (!await lookup.ResolveAsync(id, patience.Token).AnyAsync(patience.Token))
        {
            // Asking again is how the record is noticed; it is not waited for blindly.
            await Task.Delay(50, patience.Token);
        }
    }
}
