using System.Net;
using System.Net.Sockets;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.NetReport;
using Iroh.Tests.NetReport.Support;

namespace Iroh.Tests.NetReport;

public class NetReporterTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact(Timeout = Patience.Test)]
    public async Task Two_stun_servers_tell_the_address_of_the_socket_and_that_its_mapping_holds()
    {
        await using var one = new StunHost(from => from);
        await using var two = new StunHost(from => from);
        await using UdpProbeSockets sockets = Sockets();
        using var reporter = new NetReporter(sockets);
        NetReportResult result = await reporter.RunAsync(new NetReportRequest { StunServers = [Server(one), Server(two)] }, null, Cancel);
        Assert.Equal(sockets.LocalEndPoints[0], result.GlobalV4);
        Assert.False(result.MappingVariesByDestinationV4);
        Assert.True(result.UdpV4 && result.IsComplete && !result.UdpV6);
        Assert.All(result.StunServers, server => Assert.True(server.V4!.Value.RoundTrip > TimeSpan.Zero));
        Assert.Same(result, reporter.Last);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_symmetric_nat_shows_by_two_different_answers()
    {
        await using var one = new StunHost(_ => IPEndPoint.Parse("203.0.113.4:1000"));
        await using var two = new StunHost(_ => IPEndPoint.Parse("203.0.113.4:2000"));
        await using UdpProbeSockets sockets = Sockets();
        using var reporter = new NetReporter(sockets);
        NetReportResult result = await reporter.RunAsync(new NetReportRequest { StunServers = [Server(one), Server(two)] }, null, Cancel);
        Assert.True(result.MappingVariesByDestinationV4);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_silent_stun_server_is_named_and_the_other_one_counts()
    {
        await using var silent = new StunHost(_ => null);
        await using var good = new StunHost(from => from);
        await using UdpProbeSockets sockets = Sockets();
        using var reporter = new NetReporter(sockets);
        NetReportResult result = await reporter.RunAsync(new NetReportRequest { StunServers = [Server(silent), Server(good)] }, null, Cancel);
        Assert.Equal(sockets.LocalEndPoints[0], result.GlobalV4);
        Assert.Null(result.MappingVariesByDestinationV4);
        Assert.Contains(result.Problems, problem => problem.Contains($"127.0.0.1:{silent.Port} did not answer", StringComparison.Ordinal));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_silent_discovery_port_does_not_hold_up_the_choice_of_a_home_relay()
    {
        await using var relay = new HttpHost(HttpHost.Relay);
        await using UdpProbeSockets sockets = Sockets();
        var silent = new FakeProbe((_, token) => Task.Delay(Timeout.Infinite, token).ContinueWith<ObservedAddress>(_ => throw new OperationCanceledException(token), token));
        using var reporter = new NetReporter(sockets, silent);
        var first = new TaskCompletionSource<NetReportResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<NetReportResult> report = reporter.RunAsync(
            new NetReportRequest { Relays = [Relay(relay) with { AddressDiscoveryPort = 7842 }] },
            progress =>
            {
                if (progress.PreferredRelay is not null)
                    first.TrySetResult(progress);
            },
            Cancel);
        NetReportResult early = await first.Task.WaitAsync(TimeSpan.FromSeconds(30), Cancel);
        // Nobody gave discovery up by then.
        Assert.False(early.IsComplete);
        Assert.Empty(early.Problems);
        NetReportResult late = await report;
        Assert.Contains(late.Problems, problem => problem.Contains("did not answer address discovery on UDP port 7842 over IPv4", StringComparison.Ordinal));
        Assert.NotNull(Assert.Single(late.Relays).Https);
        Assert.False(late.UdpV4);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Discovery_tells_address_and_latency_and_saves_the_requests()
    {
        await using var relay = new HttpHost(HttpHost.Relay);
        await using UdpProbeSockets sockets = Sockets();
        var probe = new FakeProbe((_, _) => Task.FromResult(new ObservedAddress(IPEndPoint.Parse("198.51.100.3:77"), TimeSpan.FromMilliseconds(21))));
        using var reporter = new NetReporter(sockets, probe);
        NetReportResult result = await reporter.RunAsync(new NetReportRequest { Relays = [Relay(relay) with { AddressDiscoveryPort = 7842 }] }, null, Cancel);
        Assert.Equal((IPEndPoint.Parse("198.51.100.3:77"), true), (result.GlobalV4, result.UdpV4));
        Assert.Equal(new RelayLatency(Relay(relay).Url, V4: TimeSpan.FromMilliseconds(21)), Assert.Single(result.Relays));
        Assert.Empty(relay.Calls);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_ping_over_http_is_measured_with_the_connection_up()
    {
        await using var relay = new HttpHost(HttpHost.Relay);
        await using UdpProbeSockets sockets = Sockets();
        using var reporter = new NetReporter(sockets);
        NetReportResult result = await reporter.RunAsync(new NetReportRequest { Relays = [Relay(relay)] }, null, Cancel);
        Assert.Equal(Relay(relay).Url, result.PreferredRelay);
        HttpCall[] pings = [.. relay.Calls.Where(call => call.Path == "/ping")];
        Assert.Equal(2, pings.Length);
        Assert.Equal("*/*", pings[0].Header("accept"));
        Assert.False(result.CaptivePortal);
    }

    [Theory(Timeout = Patience.Test)]
    [InlineData(302, false)]
    [InlineData(200, false)]
    [InlineData(204, false)]
    [InlineData(204, true)]
    public async Task Whoever_does_not_know_the_answer_to_the_challenge_is_a_captive_portal(int status, bool hasWrongHeader)
    {
        await using var relay = new HttpHost(call => call.Path == "/ping"
            ? HttpHost.Status(200)
            : HttpHost.Status(status, "", hasWrongHeader ? "X-Iroh-Response: response something" : "Location: http://login.example"));
        await using UdpProbeSockets sockets = Sockets();
        using var reporter = new NetReporter(sockets);
        NetReportResult result = await reporter.RunAsync(new NetReportRequest { Relays = [Relay(relay)] }, null, Cancel);
        Assert.True(result.CaptivePortal);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task What_answers_otherwise_than_a_relay_is_named_and_not_chosen()
    {
        await using var other = new HttpHost(_ => HttpHost.Status(301, "", "Location: /elsewhere"));
        await using UdpProbeSockets sockets = Sockets();
        using var reporter = new NetReporter(sockets);
        RelayConfiguration gone = new(RelayUrl.Parse("http://127.0.0.1:1"));
        NetReportResult result = await reporter.RunAsync(new NetReportRequest { Relays = [Relay(other), gone] }, null, Cancel);
        Assert.Null(result.PreferredRelay);
        Assert.Contains(result.Problems, problem => problem.Contains("HTTP status 301", StringComparison.Ordinal));
        Assert.Contains(result.Problems, problem => problem.StartsWith("http://127.0.0.1:1/ cannot be reached", StringComparison.Ordinal));
        Assert.DoesNotContain(other.Calls, call => call.Path == "/elsewhere");
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_report_without_servers_is_empty_and_a_cancelled_one_ends()
    {
        await using UdpProbeSockets sockets = Sockets();
        await using var silent = new StunHost(_ => null);
        using var reporter = new NetReporter(sockets);
        NetReportResult empty = await reporter.RunAsync(new NetReportRequest(), null, Cancel);
        Assert.True(empty is { IsComplete: true, UdpV4: false, PreferredRelay: null, CaptivePortal: null });
        using var cancel = new CancellationTokenSource();
        Task<NetReportResult> report = reporter.RunAsync(new NetReportRequest { StunServers = [Server(silent)] }, null, cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => report);
        Assert.Same(empty, reporter.Last);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task The_loop_reports_at_once_and_again_when_asked()
    {
        await using var server = new StunHost(from => from);
        await using UdpProbeSockets sockets = Sockets();
        using var reporter = new NetReporter(sockets);
        var results = System.Threading.Channels.Channel.CreateUnbounded<NetReportResult>();
        await using var loop = new NetReportLoop(reporter, () => new NetReportRequest { StunServers = [Server(server)] }, result => results.Writer.TryWrite(result));
        NetReportResult first = await NextCompleteAsync(results.Reader);
        loop.Ask(isMajor: false);
        NetReportResult second = await NextCompleteAsync(results.Reader);
        loop.Ask(isMajor: true);
        NetReportResult third = await NextCompleteAsync(results.Reader);
        Assert.Equal([true, false, true], new[] { first, second, third }.Select(result => result.IsFull));
        Assert.All(new[] { first, second, third }, result => Assert.Equal(sockets.LocalEndPoints[0], result.GlobalV4));
    }

    private static async Task<NetReportResult> NextCompleteAsync(System.Threading.Channels.ChannelReader<NetReportResult> results)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
        while (true)
        {
            NetReportResult result = await results.ReadAsync(limit.Token);
            if (result.IsComplete)
                return result;
        }
    }

    private static UdpProbeSockets Sockets() => UdpProbeSockets.Bind([new IPEndPoint(IPAddress.Loopback, 0)]);

    private static StunServer Server(StunHost host) => new("127.0.0.1", host.Port);

    private static RelayConfiguration Relay(HttpHost host) => new(RelayUrl.Parse($"http://127.0.0.1:{host.Port}"));

    private sealed class FakeProbe(Func<RelayConfiguration, CancellationToken, Task<ObservedAddress>> probe) : IAddressProbe
    {
        public Task<ObservedAddress> ProbeAsync(RelayConfiguration relay, AddressFamily family, CancellationToken cancellationToken) =>
            probe(relay, cancellationToken);
    }
}
