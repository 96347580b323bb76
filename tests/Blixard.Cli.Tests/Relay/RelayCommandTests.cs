using System.Net;
using System.Text.Json.Nodes;
using Blixard.Testing.Basics;

namespace Blixard.Cli.Tests.Relay;

public sealed class RelayCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("blixard-cli-").FullName;

    private static CancellationToken Cancel => Patience.Token;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("relay", "serve")]
    [InlineData("relay", "serve", "--http", "here")]
    [InlineData("relay", "serve", "--http", "8080")]
    [InlineData("relay", "serve", "--https", "127.0.0.1:0")]
    [InlineData("relay", "serve", "--http", "127.0.0.1:0", "--cert", "a", "--key", "b")]
    [InlineData("relay", "serve", "--http", "127.0.0.1:0", "--qad", "127.0.0.1:0")]
    [InlineData("relay", "serve", "--http", "127.0.0.1:0", "--dns", "127.0.0.1:0")]
    [InlineData("relay", "serve", "--http", "127.0.0.1:0", "--zone", "dns.test")]
    [InlineData("relay", "serve", "--http", "127.0.0.1:0", "--dns", "127.0.0.1:0", "--zone", "..")]
    [InlineData("relay", "serve", "--http", "127.0.0.1:0", "--access", "friends")]
    [InlineData("relay", "serve", "--http", "127.0.0.1:0", "--access", "allow=/nowhere/at/all")]
    [InlineData("relay", "serve", "--http", "127.0.0.1:0", "--access", "http=ftp://somewhere")]
    [InlineData("relay", "serve", "--http", "127.0.0.1:0", "--rate", "fast")]
    [InlineData("relay", "serve", "--http", "127.0.0.1:0", "--rate", "1M:")]
    [InlineData("relay", "serve", "--http", "127.0.0.1:0", "--max-connections", "0")]
    public async Task A_command_line_that_makes_no_sense_ends_with_2_and_says_why(params string[] arguments)
    {
        CliResult result = await CliProcess.RunAsync(arguments);
        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.StartsWith("error: ", result.Errors);
    }

    [Fact]
    public async Task A_relay_with_names_says_where_it_listens_and_ends_on_SIGTERM()
    {
        await using var relay = CliProcess.Start(
            "relay", "serve", "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--dns", "127.0.0.1:0", "--zone", "dns.test", "--rate", "10M:1M", "--json");
        JsonNode listening = await relay.ReadEventAsync("listening");
        string url = listening["url"]!.GetValue<string>();
        using var client = new HttpClient();
        Assert.Equal("ok", JsonNode.Parse(await client.GetStringAsync(url + "healthz", Cancel))!["status"]!.GetValue<string>());
        Assert.Contains("relayserver_accepts_total 0", await client.GetStringAsync(listening["metrics"]!.GetValue<string>(), Cancel));
        Assert.True(IPEndPoint.TryParse(Assert.Single(listening["dns"]!.AsArray())!.GetValue<string>(), out IPEndPoint? dns) && dns.Port > 0);
        HttpResponseMessage unknown = await client.GetAsync(url + "pkarr/yqooxx9u3aemh8mo5wcqq16yufu6jitouq1o4za751dger1igghy", Cancel);
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);

        CliResult taken = await CliProcess.RunAsync("relay", "serve", "--http", new Uri(url).Authority, "--json");
        Assert.Equal((1, ""), (taken.ExitCode, taken.Output));
        Assert.Contains("cannot be bound", taken.Errors);

        CliResult result = await relay.EndAsync("TERM");
        Assert.Equal(0, result.ExitCode);
    }
}
