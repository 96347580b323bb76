using Blixard.Cluster.Links;
using Blixard.Cluster.Tests.Support;
using Blixard.Cluster.Tokens;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Frames;
using Blixard.V1;
using Google.Protobuf;
using Iroh;
using Iroh.Quic;

namespace Blixard.Cluster.Tests.Links;

public class IrohPeerConnectorTests
{
    private static readonly LinkTiming s_quick = new() { Unresponsive = TimeSpan.FromSeconds(2), BackoffMax = TimeSpan.FromSeconds(1) };

    [Fact]
    public async Task Two_members_link_by_one_connection_on_which_both_call()
    {
        await using var temporary = new TemporaryStore();
        await using ClusterHost one = await ClusterHost.StartAsync(temporary, 1);
        await using ClusterHost two = await ClusterHost.StartAsync(temporary, 2);
        LinkStatus there = await one.ReadyAsync(2), back = await two.ReadyAsync(1);
        Assert.Equal(("node-2", P2pPathKind.Direct, ""), (there.Name, there.Path, there.Reason));
        Assert.InRange(there.RoundTripTime!.Value, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        // Each sees the other at its only socket: both look at the same connection.
        Assert.Equal((two.Socket.ToString(), one.Socket.ToString()), (there.Remote, back.Remote));
        Assert.Equal("node-2", (await one.PingAsync(2)).Name);
        Assert.Equal("node-1", (await two.PingAsync(1)).Name);
        Assert.Equal(RpcTransport.P2p, one.ChannelOf(TemporaryStore.Id(2)).Current);
    }

    [Fact]
    public async Task Three_members_link_each_to_each()
    {
        await using var temporary = new TemporaryStore();
        await using ClusterHost one = await ClusterHost.StartAsync(temporary, 1);
        await using ClusterHost two = await ClusterHost.StartAsync(temporary, 2);
        await using ClusterHost three = await ClusterHost.StartAsync(temporary, 3);
        foreach (ClusterHost host in new[] { one, two, three })
        {
            foreach (int peer in Enumerable.Range(1, 3).Where(peer => peer != host.Number))
                await host.ReadyAsync(peer);
            Assert.Equal(2, host.Connector.Links.Count);
        }
    }

    [Fact]
    public async Task Of_two_simultaneous_dials_one_connection_remains_and_it_is_the_same_at_both_ends()
    {
        await using var temporary = new TemporaryStore();
        await using ClusterHost one = await ClusterHost.StartAsync(temporary, 1);
        await using ClusterHost two = await ClusterHost.StartAsync(temporary, 2);
        // Each dials the other as soon as it knows of it. In the end only the smaller id's dial still runs, as the link.
        (ClusterHost small, ClusterHost large) = one.Endpoint.Id.CompareTo(two.Endpoint.Id) < 0 ? (one, two) : (two, one);
        await small.UntilAsync(
            large.Number,
            status => status is { State: LinkState.Ready, Dials: > 0 } && large.Connector.Links is [{ State: LinkState.Ready, Dials: > 0 }]
                && (small.Connector.OpenConnections, large.Connector.OpenConnections) == (1, 1)
                && (small.Connector.RunningTasks, large.Connector.RunningTasks) == (1, 0));
        Assert.Equal($"node-{large.Number}", (await small.PingAsync(large.Number)).Name);
        Assert.Equal($"node-{small.Number}", (await large.PingAsync(small.Number)).Name);
    }

    [Fact]
    public async Task A_link_comes_back_after_a_side_was_killed_and_started_again_elsewhere()
    {
        await using var temporary = new TemporaryStore();
        await using ClusterHost one = await ClusterHost.StartAsync(temporary, 1, timing: s_quick);
        await using (ClusterHost two = await ClusterHost.StartAsync(temporary, 2, timing: s_quick))
        {
            await one.ReadyAsync(2);
            await two.CloseEndpointAsync();
            LinkStatus lost = await one.UntilAsync(2, status => status.State != LinkState.Ready);
            Assert.NotEqual("", lost.Reason);
        }

        await using ClusterHost again = await ClusterHost.StartAsync(temporary, 2, timing: s_quick);
        await one.UntilAsync(2, status => status.State == LinkState.Ready && status.Remote == again.Socket.ToString());
        await again.ReadyAsync(1);
        Assert.Equal("node-2", (await one.PingAsync(2)).Name);
    }

    [Fact]
    public async Task Who_leaves_gets_its_answer_over_the_link_and_is_then_closed_and_refused()
    {
        await using var temporary = new TemporaryStore();
        await using ClusterHost one = await ClusterHost.StartAsync(temporary, 1, timing: s_quick);
        await using ClusterHost two = await ClusterHost.StartAsync(temporary, 2, timing: s_quick);
        await one.ReadyAsync(2);
        await two.ReadyAsync(1);
        LeaveResponse left = await two.ChannelOf(TemporaryStore.Id(1)).CallAsync(
            ClusterMethods.Leave, new LeaveRequest(), RpcCallOptions.Within(TimeSpan.FromSeconds(10)));
        Assert.True(left.Revision > 0);
        // Two still knows one as a member; one turns every new dial away.
        await two.UntilAsync(1, status => status.State == LinkState.BackingOff);
        LinkStatus refused = await two.UntilAsync(1, status => status.FailedDials > 0);
        Assert.Contains("does not know this node as a member", refused.Reason);
        Assert.Null(one.Connector.TryGetLink(TemporaryStore.Id(2)));
    }

    [Fact]
    public async Task A_second_process_with_the_same_key_is_refused_by_name_and_says_so_while_the_first_stays_linked()
    {
        await using var temporary = new TemporaryStore();
        await using ClusterHost one = await ClusterHost.StartAsync(temporary, 1);
        await using ClusterHost two = await ClusterHost.StartAsync(temporary, 2);
        await one.ReadyAsync(2);
        await using ClusterHost copy = await ClusterHost.StartAsync(temporary, 2, isMember: false);
        LinkStatus refused = await copy.UntilAsync(1, status => status.Reason.Contains("same key", StringComparison.Ordinal));
        Assert.Contains("another running node has the same key: node-1 is linked to it", refused.Reason);
        Assert.Contains("another running node has the same key", copy.Connector.KeyConflict);
        Assert.Equal((LinkState.Ready, two.Socket.ToString()), (await one.ReadyAsync(2)) is var link ? (link.State, link.Remote) : default);
        Assert.Null(two.Connector.KeyConflict);
        Assert.Equal("node-2", (await one.PingAsync(2)).Name);
    }

    [Fact]
    public async Task A_non_member_can_ask_for_health_and_join_and_nothing_else()
    {
        await using var temporary = new TemporaryStore();
        await using ClusterHost one = await ClusterHost.StartAsync(temporary, 1);
        await using IrohEndpoint stranger = await IrohEndpoint.BindAsync(new IrohEndpointOptions { SecretKey = TemporaryStore.Key(2) });
        await using GuestConnection guest = await GuestConnection.ConnectAsync(stranger, one.Endpoint.Address, TimeProvider.System);
        RpcException denied = await Assert.ThrowsAsync<RpcException>(() => guest.Caller.CallAsync(ClusterMethods.Status, new StatusRequest()));
        Assert.Equal(RpcStatusCode.PermissionDenied, denied.StatusCode);
        Assert.Contains("is no member of this cluster", denied.Message);
        Assert.Equal(
            RpcStatusCode.PermissionDenied,
            (await Assert.ThrowsAsync<RpcException>(() => guest.Caller.CallAsync(StoreMethods.Get, new GetRequest { Key = "/cluster/id" }))).StatusCode);
        Assert.Equal(ServingStatus.Serving, (await guest.Caller.CallAsync(HealthMethods.Check, new HealthCheckRequest())).Status);
        JoinToken token = await temporary.Tokens.CreateAsync(NodeRole.Worker);
        JoinResponse joined = await guest.Caller.CallAsync(
            ClusterMethods.Join, new JoinRequest { Token = ByteString.CopyFrom(token.Secret.Span), Node = TemporaryStore.Node(2) });
        Assert.True(Guid.TryParse(joined.ClusterId, out _));
    }

    [Theory]
    [InlineData("b1")]
    [InlineData("b1020000000000000000000000")]
    [InlineData("b101ff0000000000000000")]
    [InlineData("b10105000000000000000061")]
    public async Task A_bad_hello_is_closed_with_the_reason(string bytes)
    {
        await using var temporary = new TemporaryStore();
        await using ClusterHost one = await ClusterHost.StartAsync(temporary, 1);
        await using IrohEndpoint stranger = await IrohEndpoint.BindAsync(new IrohEndpointOptions { SecretKey = TemporaryStore.Key(2) });
        await using IrohConnection connection = await stranger.ConnectAsync(one.Endpoint.Address, IrohServiceRunner.Alpn);
        await using QuicStream stream = await connection.OpenBidirectionalStreamAsync();
        await stream.WriteAsync(Convert.FromHexString(bytes));
        stream.CompleteWrites();
        QuicCloseReason reason = await connection.Closed.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal((QuicCloseKind.ApplicationClosed, LinkCloseCode.BadHello), (reason.Kind, reason.Code));
        Assert.Contains("hello", reason.Reason);
    }

    [Fact]
    public async Task When_a_node_stops_its_peers_hear_it()
    {
        await using var temporary = new TemporaryStore();
        await using ClusterHost one = await ClusterHost.StartAsync(temporary, 1);
        await using (ClusterHost two = await ClusterHost.StartAsync(temporary, 2))
        {
            await one.ReadyAsync(2);
            await two.ReadyAsync(1);
        }

        LinkStatus lost = await one.UntilAsync(2, status => status.State != LinkState.Ready);
        Assert.NotEqual("", lost.Reason);
        RpcException failed = await Assert.ThrowsAsync<RpcException>(() => one.PingAsync(2));
        Assert.Equal(RpcFailureStage.NotSent, failed.Stage);
    }
}
