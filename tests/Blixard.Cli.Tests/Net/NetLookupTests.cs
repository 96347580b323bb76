using System.Net;
using System.Text.Json.Nodes;
using Blixard.Testing.Basics;
using Iroh.Base;

namespace Blixard.Cli.Tests.Net;

/// <summary>Endpoints that find each other by id alone, at a name server of ours.</summary>
public sealed class NetLookupTests
{
    private const string Protocol = "lookup-test/1";
    private const string Zone = "dns.test";

    // As long as anything may take on a busy machine.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancel => Patience.Token;

    [Fact]
    public async Task An_endpoint_that_publishes_itself_is_dialled_by_its_id()
    {
        await using CliProcess server = CliProcess.Start("relay", "serve", "--http", "127.0.0.1:0", "--dns", "127.0.0.1:0", "--zone", Zone, "--json");
        JsonNode serving = await server.ReadJsonAsync();
        string pkarr = $"http://{Text(serving, "http")}/pkarr", dns = $"{Zone}@{serving["dns"]![0]!.GetValue<string>()}";
        await using CliProcess listener = CliProcess.Start("net", "listen", "--alpn", Protocol, "--echo", "--bind", "127.0.0.1:0", "--pkarr", pkarr, "--json");
        string id = Text(await listener.ReadJsonAsync(), "endpointId");
        await UntilPublishedAsync(pkarr, EndpointId.Parse(id));

        CliResult connected = await CliProcess.RunAsync("net", "connect", id, "--alpn", Protocol, "--datagrams", "1", "--bind", "127.0.0.1:0", "--pkarr", pkarr, "--json");
        Assert.True(connected.ExitCode == 0, connected.Errors);
        Assert.Equal(id, Text(connected.Lines[0], "remoteId"));

        CliResult pinged = await CliProcess.RunAsync("net", "ping", id, "-c", "1", "--bind", "127.0.0.1:0", "--dns", dns, "--json");
        Assert.True(pinged.ExitCode == 0, pinged.Errors);

        string nobody = SecretKey.Generate().PublicKey.ToString();
        CliResult lost = await CliProcess.RunAsync("net", "ping", nobody, "-c", "1", "--pkarr", pkarr, "--dns", dns);
        Assert.Equal(3, lost.ExitCode);
        Assert.Contains("pkarr: not known", lost.Errors);
        Assert.Contains("dns: not known", lost.Errors);
    }

    [Theory]
    [InlineData("--mdns, --dns or --pkarr")]
    [InlineData("--dns: 'a..b' is no domain", "--dns", "a..b")]
    [InlineData("--dns: 'here' is no DNS server", "--dns", "a.example@here")]
    [InlineData("--pkarr: 'here' is no URL", "--pkarr", "here")]
    public async Task An_id_without_a_lookup_that_can_find_it_ends_with_2_and_says_what_to_do(string expected, params string[] options)
    {
        CliResult result = await CliProcess.RunAsync(["net", "ping", SecretKey.Generate().PublicKey.ToString(), "-c", "1", .. options]);

        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.Contains(expected, result.Errors);
    }

    private static async Task UntilPublishedAsync(string pkarr, EndpointId id)
    {
        using var http = new HttpClient();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        patience.CancelAfter(s_patience);
        while (true)
        {
            using HttpResponseMessage response = await http.GetAsync(new Uri($"{pkarr}/{id.ToZBase32()}"), patience.Token);
            if (response.StatusCode == HttpStatusCode.OK)
                return;
            // Asking again is how the record is noticed; it is not waited for blindly.
            await Task.Delay(50, patience.Token);
        }
    }

    private static string Text(JsonNode node, string name) => node[name]!.GetValue<string>();
}
