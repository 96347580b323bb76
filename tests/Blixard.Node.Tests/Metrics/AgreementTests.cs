using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using Blixard.Node.Tests.Support;
using Blixard.Rpc.Calls;
using Blixard.Testing.Basics;
using Blixard.V1;
using Google.Protobuf;
using Microsoft.Extensions.Logging;

namespace Blixard.Node.Tests.Metrics;

/// <summary>Status, <c>/metrics</c> and the log tell the same of one history: three servers, one of which loses P2P, and a leader
/// that goes.</summary>
public sealed class AgreementTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Status_metrics_and_log_agree_and_every_number_moves()
    {
        using var log = new RecordingLog();
        await using var cluster = new TestCluster();
        TestNode one = await cluster.StartAsync(
            "one", new NodeStart.Up("etcd"), options => options with { Http = new IPEndPoint(IPAddress.Loopback, 0) }, log);
        TestNode two = await cluster.JoinServerAsync("two", one);
        TestNode three = await cluster.JoinServerAsync("three", one);
        await one.UntilAsync(
            status => status.Nodes.All(node => node.Raft is { Healthy: true, Role: RaftRole.Leader or RaftRole.Follower })
                && status.Nodes.Where(node => node.Raft.Tunnel is not null).All(node => node.Raft.Tunnel is { Way: RaftWay.P2P, BytesP2P: > 0 }),
            "three voters, all over P2P");
        using var http = new HttpClient { BaseAddress = new Uri($"http://{one.Node.HttpAddress}") };
        Page before = await Page.ReadAsync(http);

        // The way to three changes: it comes back without P2P.
        await three.DisposeAsync();
        three = await cluster.StartAsync("three", new NodeStart.Up(), options => options with { P2p = false });
        await one.UntilAsync(
            seen => seen.Nodes.All(node => node.Raft is { Healthy: true }) && TunnelTo(seen, "three") is { Way: RaftWay.Grpc, BytesGrpc: > 0, Switches: > 0 },
            "Raft to three over gRPC");
        await PutAsync(one);
        // A call that is refused, and one whose target is not there.
        await Assert.ThrowsAsync<RpcException>(() => one.CallAsync(VmMethods.Inspect, new InspectVmRequest { Name = "nobody" }));
        // The one to which there is a link goes, so that dials fail.
        await two.DisposeAsync();
        await one.UntilAsync(seen => seen.Leader is "one" or "three" && seen.Nodes.Count(node => node.Raft is { Healthy: true }) == 2, "two servers left");

        // A dial of who is gone takes its time to fail.
        const string FailedDials = "blixard_link_dials_failed_total";
        using (CancellationTokenSource limit = Patience.Start())
        {
            while ((await Page.ReadAsync(http)).Sum(FailedDials) <= before.Sum(FailedDials))
                await Task.Delay(100, limit.Token);
        }

        StatusResponse first = await one.StatusAsync();
        Page page = await Page.ReadAsync(http);
        StatusResponse last = await one.StatusAsync();

        // Bytes by transport: what the page says lies between two statuses.
        foreach ((string transport, Func<RaftTunnel, ulong> bytes) in new (string, Func<RaftTunnel, ulong>)[] { ("p2p", tunnel => tunnel.BytesP2P), ("grpc", tunnel => tunnel.BytesGrpc) })
        {
            double told = page.Sum("blixard_tunnel_bytes_total", ("transport", transport), ("side", "client"), ("target", "raft"));
            Assert.InRange(told, Sum(first, bytes), Sum(last, bytes));
            Assert.True(told > 0, transport);
        }

        // Switches: each in all three places.
        ulong switches = TunnelTo(first, "three")!.Switches;
        Assert.Equal(switches, TunnelTo(last, "three")!.Switches);
        Assert.Equal((double)switches, page.Sum("blixard_rpc_transport_switches_total", ("peer", "three")));
        Assert.Equal((int)switches, log.Count("TransportSwitched", "three is called"));
        Assert.InRange(page.Sum("blixard_rpc_transport_age_seconds", ("peer", "three")), 0.0001, 600);
        Assert.True(page.Sum("blixard_link_ready", ("peer", "three")) == 0, "three has no link");

        // Raft.
        Assert.InRange(page.Sum("blixard_raft_term"), first.RaftTerm, last.RaftTerm);
        Assert.InRange(page.Sum("blixard_raft_applied_index"), 1, last.RaftAppliedIndex);
        Assert.Equal(last.Leader == "one" ? 1 : 0, page.Sum("blixard_raft_is_leader"));
        Assert.Equal(1, page.Sum("blixard_raft_has_leader"));

        // Everything else moved.
        string[] moving =
        [
            "blixard_rpc_calls_total", "blixard_rpc_bytes_total", "blixard_rpc_errors_total", "blixard_rpc_call_duration_seconds_count",
            "blixard_tunnel_opened_total", "blixard_tunnel_closed_total", "blixard_tunnel_bytes_total", "blixard_rpc_transport_switches_total",
            FailedDials, "blixard_raft_applied_index", "blixard_raft_fsync_count_total", "blixard_raft_fsync_time_seconds_total",
            "blixard_raft_commit_count_total", "blixard_raft_commit_time_seconds_total", "etcd_disk_wal_fsync_duration_seconds_count",
            "etcd_disk_backend_commit_duration_seconds_count",
        ];
        foreach (string name in moving)
            Assert.True(page.Sum(name) > before.Sum(name), $"{name} was {before.Sum(name)} and is {page.Sum(name)}");
        Assert.True(page.Sum("blixard_raft_leader_changes_total") >= 1);
        Assert.True(page.Sum("blixard_tunnel_active") > 0);
        Assert.True(page.Sum("blixard_raft_database_size_bytes") > 0);
        Assert.True(before.Sum("blixard_link_rtt_seconds") > 0);
    }

    private static async Task PutAsync(TestNode node)
    {
        var put = new PutOperation { Key = "/test/agreement", Value = ByteString.CopyFromUtf8("x") };
        TransactResponse answer = await node.CallAsync(StoreMethods.Transact, new TransactRequest { Operations = { new Operation { Put = put } } });
        Assert.True(answer.Succeeded);
    }

    private static RaftTunnel? TunnelTo(StatusResponse status, string name) =>
        status.Nodes.FirstOrDefault(node => node.Member.Node.Name == name)?.Raft?.Tunnel;

    private static double Sum(StatusResponse status, Func<RaftTunnel, ulong> bytes) =>
        status.Nodes.Where(node => node.Raft?.Tunnel is not null).Sum(node => (double)bytes(node.Raft.Tunnel));

    /// <summary>A <c>/metrics</c> page, as a collector reads it.</summary>
    private sealed class Page(List<(string Name, Dictionary<string, string> Labels, double Value)> samples)
    {
        public static async Task<Page> ReadAsync(HttpClient http)
        {
            var samples = new List<(string, Dictionary<string, string>, double)>();
            foreach (string line in (await http.GetStringAsync("/metrics", Cancel)).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                if (line[0] == '#')
                    continue;
                string series = line[..line.LastIndexOf(' ')];
                int brace = series.IndexOf('{');
                var labels = new Dictionary<string, string>();
                // None of the labels' values has a comma or a quote.
                foreach (string label in brace < 0 ? [] : series[(brace + 1)..^1].Split(','))
                    labels[label[..label.IndexOf('=')]] = label[(label.IndexOf('=') + 1)..].Trim('"');
                samples.Add((brace < 0 ? series : series[..brace], labels, double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture)));
            }

            return new Page(samples);
        }

        public double Sum(string name, params (string Key, string Value)[] labels) => samples
            .Where(sample => sample.Name == name && labels.All(label => sample.Labels.GetValueOrDefault(label.Key) == label.Value))
            .Sum(sample => sample.Value);
    }

    /// <summary>Keeps what a node logs: the event's name and its text.</summary>
    private sealed class RecordingLog : ILoggerFactory, ILogger
    {
        private readonly ConcurrentQueue<(string Event, string Text)> _lines = new();

        public int Count(string name, string word) => _lines.Count(line => line.Event == name && line.Text.Contains(word, StringComparison.Ordinal));

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _lines.Enqueue((eventId.Name ?? "", formatter(state, exception)));

        public void Dispose()
        {
        }
    }
}
