using System.Diagnostics;
using System.Net;
using Blixard.NatLab.Tests.Lab;
using Blixard.Testing.Namespaces;
using Blixard.Testing.NatLab;
using Iroh.Base;
using Iroh.Relay.Server.Access;

namespace Iroh.Relay.Server.Tests.Interop;

/// <summary>Real iroh endpoints over our relay.</summary>
public sealed class RealIrohTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_find_each_other_by_the_relay_alone_and_go_on_directly()
    {
        await using RelayServer server = await StartAsync();
        await using RealPeer one = await RealPeer.StartAsync(server.Url), two = await RealPeer.StartAsync(server.Url);
        await Task.WhenAll(one.OnlineAsync(), two.OnlineAsync());
        (int dialled, Task _) = await ConnectAsync(one, two);
        Assert.Equal(100_000, await one.EchoedAsync(dialled, 100_000));
        await UntilAsync(() => one.IsDirectAsync(dialled), "a direct path is selected");
        Assert.True(server.Relay.Counters.PacketsSent > 0);
        Assert.Equal((0, 0), (server.Relay.Counters.ProtocolErrors, server.Relay.Counters.UnexpectedMessages));
    }

    [LabFact]
    public async Task Two_whose_UDP_is_blocked_talk_over_the_relay_and_in_bulk_send_batches()
    {
        await using RelayServer server = await StartAsync();
        await using InternetLab lab = await InternetLab.CreateAsync();
        LabHost left = await lab.AddHostAsync("left", await lab.AddSiteAsync("l", NatKind.UdpBlocked));
        LabHost right = await lab.AddHostAsync("right", await lab.AddSiteAsync("r", NatKind.UdpBlocked));
        await using var forwarder = new TcpForwarder(await LabSocket.ListenAsync(lab.Server, lab.Server.Address), server.Http!);
        var url = RelayUrl.Parse($"http://{forwarder.Address}");
        await using RealPeer one = await StartInAsync(lab, left, url), two = await StartInAsync(lab, right, url);
        await Task.WhenAll(one.OnlineAsync(), two.OnlineAsync()).WaitAsync(s_patience, Cancel);
        (int dialled, Task _) = await ConnectAsync(one, two);
        const int Length = 4 * 1024 * 1024;
        Assert.Equal(Length, await one.EchoedAsync(dialled, Length));
        Assert.False(await one.IsDirectAsync(dialled));
        // All of it went both ways, in fewer frames than there were packets of at most 1,452 bytes.
        Assert.True(server.Relay.Counters.BytesSent > 2 * Length, $"{server.Relay.Counters.BytesSent} bytes were forwarded");
        Assert.True(server.Relay.Counters.PacketsSent < server.Relay.Counters.BytesSent / 1452, $"{server.Relay.Counters.PacketsSent} frames");
        Assert.Equal(0, server.Relay.Counters.ProtocolErrors);
    }

    [Fact]
    public async Task Two_with_one_key_both_stay_and_the_newer_is_found()
    {
        await using RelayServer server = await StartAsync();
        var key = SecretKey.Generate();
        await using RealPeer old = await RealPeer.StartAsync(server.Url, key);
        await old.OnlineAsync();
        await using RealPeer other = await RealPeer.StartAsync(server.Url);
        await using (RealPeer young = await RealPeer.StartAsync(server.Url, key))
        {
            await Task.WhenAll(young.OnlineAsync(), other.OnlineAsync());
            await ConnectAsync(other, young);
            Assert.Equal((3, 1), (server.Relay.ClientCount, server.Relay.Counters.InactiveAdded));
            // Neither came again: nobody was thrown out.
            Assert.Equal((3, 0), (server.Relay.Counters.Accepts, server.Relay.Counters.Disconnects));
        }

        await UntilAsync(() => Task.FromResult(server.Relay.Counters.InactiveRemoved == 1), "the older is active again");
        // One that knows nothing of the other's direct addresses.
        await using RealPeer stranger = await RealPeer.StartAsync(server.Url);
        await stranger.OnlineAsync();
        await ConnectAsync(stranger, old);
        Assert.Equal(4, server.Relay.Counters.Accepts);
    }

    [Fact]
    public async Task Who_has_the_token_gets_in_and_who_has_not_does_not()
    {
        await using RelayServer server = await StartAsync(new RelayOptions { Access = new TokenAccess(["s3cret"]) });
        await using RealPeer right = await RealPeer.StartAsync(server.Url, token: "s3cret"), wrong = await RealPeer.StartAsync(server.Url, token: "guess");
        await right.OnlineAsync();
        // It never gives up.
        await UntilAsync(() => Task.FromResult(server.Relay.Counters.Denials >= 2), "it is denied, and again");
        Assert.Equal((1, 1), (server.Relay.Counters.Accepts, server.Relay.ClientCount));
    }

    [Fact]
    public async Task They_come_back_to_a_relay_that_was_killed_and_started_again()
    {
        RelayServer first = await StartAsync();
        IPEndPoint address = first.Http!;
        await using RealPeer one = await RealPeer.StartAsync(first.Url), two = await RealPeer.StartAsync(first.Url);
        await Task.WhenAll(one.OnlineAsync(), two.OnlineAsync());
        await first.DisposeAsync();
        await using RelayServer second = await StartAsync(address: address);
        await UntilAsync(() => Task.FromResult(second.Relay.ClientCount == 2), "both are back");
        (int dialled, Task _) = await ConnectAsync(one, two);
        Assert.Equal(1000, await one.EchoedAsync(dialled, 1000));
    }

    [Fact]
    public async Task They_bear_with_the_announcement_of_a_restart_and_go_over_to_the_successor()
    {
        RelayServer first = await StartAsync();
        IPEndPoint address = first.Http!;
        await using RealPeer one = await RealPeer.StartAsync(first.Url), two = await RealPeer.StartAsync(first.Url);
        await Task.WhenAll(one.OnlineAsync(), two.OnlineAsync());
        (int dialled, Task _) = await ConnectAsync(one, two);
        Task stopping = first.StopAsync(Cancel);
        // The address is free before the last client has left.
        await using RelayServer second = await StartAsync(address: address);
        await stopping.WaitAsync(s_patience, Cancel);
        await first.DisposeAsync();
        await UntilAsync(() => Task.FromResult(second.Relay.ClientCount == 2), "both are back");
        Assert.Equal(1000, await one.EchoedAsync(dialled, 1000));
    }

    private static async Task<RelayServer> StartAsync(RelayOptions? options = null, IPEndPoint? address = null)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return await RelayServer.StartAsync(
                    new RelayServerOptions { Http = address ?? new IPEndPoint(IPAddress.Loopback, 0), Relay = options ?? new RelayOptions() }, Cancel);
            }
            catch (RelayServerException) when (address is not null && Stopwatch.GetElapsedTime(start) < s_patience)
            {
                // The predecessor is about to let go of the address.
                await Task.Delay(10, Cancel);
            }
        }
    }

    private static Task<RealPeer> StartInAsync(InternetLab lab, LabHost host, RelayUrl relay) =>
        RealPeer.StartAsync(relay, address: "0.0.0.0:0", command: (program, arguments) => lab.Command(host, program, arguments));

    private static async Task<(int Connection, Task Echo)> ConnectAsync(RealPeer from, RealPeer to)
    {
        Task<int> accepting = to.AcceptAsync();
        int dialled = await from.ConnectAsync(to.RelayTicket).WaitAsync(s_patience, Cancel);
        return (dialled, to.EchoAsync(await accepting));
    }

    private static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        long start = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < s_patience, $"waited for it in vain: {what}");
            await Task.Delay(20, Cancel);
        }
    }
}
