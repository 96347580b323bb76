using System.Net.Sockets;
using System.Net;
using System.Text;
using Blixard.Node.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace Blixard.Node.Tests.Metrics;

public sealed class MetricsOutputTests
{
    private static readonly IPEndPoint s_anyPort = new(IPAddress.Loopback, 0);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_node_shows_its_calls_and_links_and_that_it_is_well()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one", options => options with { Http = s_anyPort });
        TestNode two = await cluster.JoinAsync("two", one);
        await one.UntilLinkedAsync("two");
        await two.StatusAsync();
        using var http = new HttpClient { BaseAddress = new Uri($"http://{one.Node.HttpAddress}") };

        string page = await http.GetStringAsync("/metrics", Cancel);

        Assert.Contains("blixard_link_ready{peer=\"two\"} 1\n", page, StringComparison.Ordinal);
        Assert.Contains("blixard_rpc_calls_total{service=\"blixard.v1.Store\",side=\"server\",transport=\"p2p\"}", page, StringComparison.Ordinal);
        Assert.Equal("ok\n", await http.GetStringAsync("/healthz", Cancel));
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync("/", Cancel)).StatusCode);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await http.PostAsync("/metrics", null, Cancel)).StatusCode);
    }

    [Fact]
    public async Task A_taken_port_ends_the_start_with_a_sentence()
    {
        using var taker = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taker.Bind(s_anyPort);
        taker.Listen();
        await using var cluster = new TestCluster();
        NodeStartException refused = await Assert.ThrowsAsync<NodeStartException>(
            () => cluster.UpAsync("one", options => options with { Http = (IPEndPoint)taker.LocalEndPoint! }));
        Assert.Contains("--http", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_collector_gets_the_metrics_over_HTTP_at_the_latest_when_the_node_ends()
    {
        var received = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrel(kestrel => kestrel.Listen(s_anyPort));
        await using WebApplication collector = builder.Build();
        collector.Run(async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
            string text = Encoding.Latin1.GetString(body.ToArray());
            // The exporter of another test's node may send to nobody else; ours names itself.
            if (context.Request.Path == "/v1/metrics" && text.Contains("otlp-node", StringComparison.Ordinal) && text.Contains("blixard.rpc.calls", StringComparison.Ordinal))
                received.TrySetResult(text);
        });
        await collector.StartAsync(Cancel);
        string address = collector.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        await using (var cluster = new TestCluster())
        {
            TestNode one = await cluster.UpAsync("otlp-node", options => options with { Otlp = new Uri($"{address}/v1/metrics") });
            await one.StatusAsync();
        }

        string sent = await received.Task.WaitAsync(TimeSpan.FromSeconds(30), Cancel);
        Assert.Contains("blixard", sent, StringComparison.Ordinal);
    }
}
