using System.Text.Json.Nodes;
using Blixard.NatLab.Tests.Lab;
using Blixard.Rpc.Calls;
using Blixard.Testing.NatLab;
using Blixard.Testing.Namespaces;
using Blixard.V1;

namespace Blixard.NatLab.Tests.Clusters;

/// <summary>Clusters of real nodes behind gateways, where neither gRPC nor a first packet gets through.</summary>
public sealed class RelayedClusterTests
{
    [LabFact]
    public async Task A_node_joins_and_calls_over_the_relay_where_no_UDP_passes_and_needs_no_relay_of_its_own()
    {
        await using InternetLab lab = await InternetLab.CreateAsync();
        await using LabProgram relay = await ServeRelayAsync(lab);
        await using LabNode one = await NodeAsync(lab, "one", NatKind.UdpBlocked, "--relay", RelayUrl(lab));
        await using LabNode two = await NodeAsync(lab, "two", NatKind.UdpBlocked);
        await one.StartAsync("up");
        await two.StartAsync("join", await one.CreateTicketAsync(NodeRole.Worker));

        NodeStatus link = PeerOf(await two.UntilStatusAsync(status => IsLinked(status, P2pPathKind.Relay), "a link over the relay"));
        Assert.Equal(RelayUrl(lab) + "/", link.P2P.Remote);
        await one.UntilStatusAsync(status => IsLinked(status, P2pPathKind.Relay), "a link over the relay");

        // What the store holds is at the other node.
        await two.CreateTicketAsync(NodeRole.Worker);
        link = PeerOf(await two.CallAsync(ClusterMethods.Status, new StatusRequest()));
        Assert.True(link.CallsP2P > 0, link.ToString());
        Assert.Equal("p2p", link.Transport);
        await two.UntilStatusAsync(status => PeerOf(status).Grpc.State == GrpcState.Unreachable, "gRPC that cannot be reached");
    }

    [LabTheory]
    [InlineData(NatKind.PortRestricted, NatKind.PortRestricted)]
    [InlineData(NatKind.AddressIndependent, NatKind.DoubleNat)]
    public async Task A_link_that_begins_over_the_relay_becomes_direct_through_both_gateways(NatKind first, NatKind second)
    {
        await using InternetLab lab = await InternetLab.CreateAsync();
        await using LabProgram relay = await ServeRelayAsync(lab);
        await using LabStunServer stun = await LabStunServer.StartAsync(lab);
        string[] options =
        [
            "--relay", RelayUrl(lab), "--stun", $"{lab.Server.Address}:{LabStunServer.Port}", "--stun", $"{InternetLab.SecondServerAddress}:{LabStunServer.Port}",
        ];
        await using LabNode one = await NodeAsync(lab, "one", first, options);
        await using LabNode two = await NodeAsync(lab, "two", second, options);
        await one.StartAsync("up");
        await two.StartAsync("join", await one.CreateTicketAsync(NodeRole.Worker));

        NodeStatus link = PeerOf(await one.UntilStatusAsync(status => IsLinked(status, P2pPathKind.Direct), "a direct link"));
        Assert.StartsWith("203.0.113.", link.P2P.Remote);
        link = PeerOf(await two.UntilStatusAsync(status => IsLinked(status, P2pPathKind.Direct), "a direct link"));
        Assert.StartsWith("203.0.113.", link.P2P.Remote);
        Assert.Equal(RelayUrl(lab) + "/", link.Member.P2PNodeAddr.RelayUrl);

        // Each way that the link took was told.
        JsonNode path = await one.UntilEventAsync(item => item["event"]!.GetValue<string>() == "peer-path" && item["path"]!.GetValue<string>() == "direct", "a direct way");
        Assert.Equal("two", path["name"]!.GetValue<string>());
        Assert.StartsWith("203.0.113.", path["remote"]!.GetValue<string>());

        // From here on the relay is a backup.
        await relay.KillAsync();
        await two.CreateTicketAsync(NodeRole.Worker);
        Assert.True(IsLinked(await two.CallAsync(ClusterMethods.Status, new StatusRequest()), P2pPathKind.Direct));
        Assert.True(IsLinked(await one.CallAsync(ClusterMethods.Status, new StatusRequest()), P2pPathKind.Direct));
        Assert.DoesNotContain(one.Events.Concat(two.Events), seen => LabProgram.Is(seen, "peer-lost"));
    }

    [LabFact]
    public async Task A_restart_of_the_relay_goes_unnoticed_by_a_link_over_it()
    {
        await using InternetLab lab = await InternetLab.CreateAsync();
        LabProgram relay = await ServeRelayAsync(lab);
        await using LabNode one = await NodeAsync(lab, "one", NatKind.UdpBlocked, "--relay", RelayUrl(lab));
        await using LabNode two = await NodeAsync(lab, "two", NatKind.UdpBlocked, "--relay", RelayUrl(lab));
        await one.StartAsync("up");
        await two.StartAsync("join", await one.CreateTicketAsync(NodeRole.Worker));
        await one.UntilStatusAsync(status => IsLinked(status, P2pPathKind.Relay), "a link over the relay");
        await two.UntilStatusAsync(status => IsLinked(status, P2pPathKind.Relay), "a link over the relay");

        await relay.KillAsync();
        await relay.DisposeAsync();
        // A call waits 10 s for another node: the time that a process takes to start on a busy machine is none of its.
        await using LabProgram again = await ServeRelayAsync(lab);

        await two.CreateTicketAsync(NodeRole.Worker);
        Assert.True(IsLinked(await two.CallAsync(ClusterMethods.Status, new StatusRequest()), P2pPathKind.Relay));
        Assert.True(IsLinked(await one.CallAsync(ClusterMethods.Status, new StatusRequest()), P2pPathKind.Relay));
        Assert.DoesNotContain(one.Events.Concat(two.Events), seen => LabProgram.Is(seen, "peer-lost"));
    }

    [LabFact]
    public async Task A_node_whose_relay_is_dead_starts_and_says_so_and_is_found_by_it_once_it_is_there()
    {
        await using InternetLab lab = await InternetLab.CreateAsync();
        await using LabNode one = await NodeAsync(lab, "one", NatKind.UdpBlocked, "--relay", RelayUrl(lab));
        await one.StartAsync("up");
        StatusResponse status = await one.UntilStatusAsync(status => status.Nodes[0].Reason.Length > 0, "what is wrong with the relay");
        Assert.StartsWith($"the relay {RelayUrl(lab)}/ cannot be used at the moment: ", status.Nodes[0].Reason);
        Assert.Equal("", status.Nodes[0].Member.P2PNodeAddr.RelayUrl);

        await using LabProgram relay = await ServeRelayAsync(lab);
        status = await one.UntilStatusAsync(status => status.Nodes[0].Member.P2PNodeAddr.RelayUrl.Length > 0, "the relay in the node's record");
        Assert.Equal(RelayUrl(lab) + "/", status.Nodes[0].Member.P2PNodeAddr.RelayUrl);
        await one.UntilStatusAsync(status => status.Nodes[0].Reason.Length == 0, "nothing wrong with the relay");
    }

    private static string RelayUrl(InternetLab lab) => $"http://{lab.Server.Address}:{NatMeeting.RelayPort}";

    private static async Task<LabProgram> ServeRelayAsync(InternetLab lab)
    {
        LabProgram relay = LabProgram.Start(lab, lab.Server, BlixardProgram.Path, "relay", "serve", "--http", $"0.0.0.0:{NatMeeting.RelayPort}");
        await relay.UntilEventAsync("listening");
        return relay;
    }

    private static async Task<LabNode> NodeAsync(InternetLab lab, string name, NatKind kind, params string[] options)
    {
        LabHost host = await lab.AddHostAsync(name, await lab.AddSiteAsync($"{name}site", kind));
        return new LabNode(host, Path.Combine(lab.Folder, name), BlixardProgram.Path, options);
    }

    private static NodeStatus PeerOf(StatusResponse status) => status.Nodes.First(node => node.Member.Node.Name != status.Self);

    private static bool IsLinked(StatusResponse status, P2pPathKind path) =>
        status.Nodes.Count == 2 && PeerOf(status).P2P is { State: P2pState.Ready } p2p && p2p.Path == path;
}
