using System.Text.Json.Nodes;

namespace Blixard.Cli.Tests.Net;

public class NetDoctorTests
{
    [Fact]
    public async Task Without_servers_it_tells_what_it_could_not_find_out_and_how_to_let_it()
    {
        CliResult result = await CliProcess.RunAsync("net", "doctor", "--json", "--no-port-mapping");
        Assert.True(result.ExitCode == 0, result.Errors);
        JsonNode seen = Assert.Single(result.Lines);
        Assert.NotEmpty(seen["localAddresses"]!.AsArray());
        Assert.Empty(seen["publicAddresses"]!.AsArray());
        Assert.Empty(seen["relays"]!.AsArray());
        Assert.True(seen.AsObject().ContainsKey("homeRelay") && seen["homeRelay"] is null);
        Assert.True(seen["nat"]!.AsObject().ContainsKey("mappingVariesByDestination") && seen["nat"]!["mappingVariesByDestination"] is null);
        Assert.NotNull(seen["udp"]!["gso"]);
        Assert.NotNull(seen["udp"]!["gro"]);
        string findings = string.Join('\n', seen["findings"]!.AsArray());
        Assert.Contains("--relay URL", findings);
        Assert.Contains("--stun HOST:PORT", findings);
        Assert.Contains("... looking at this machine's addresses", result.Errors);
    }

    [Fact]
    public async Task A_relay_is_measured_and_called_home()
    {
        await using CliProcess relay = CliProcess.Start("relay", "serve", "--http", "127.0.0.1:0", "--json");
        string url = (await relay.ReadEventAsync("listening"))["url"]!.GetValue<string>();
        CliResult result = await CliProcess.RunAsync("net", "doctor", "--json", "--no-port-mapping", "--relay", url, "--relay", "http://127.0.0.1:1");
        Assert.True(result.ExitCode == 0, result.Errors);
        JsonNode seen = Assert.Single(result.Lines);
        Assert.Equal(url, seen["homeRelay"]!.GetValue<string>());
        JsonArray relays = seen["relays"]!.AsArray();
        Assert.Equal([url, "http://127.0.0.1:1/"], relays.Select(each => each!["url"]!.GetValue<string>()));
        Assert.True(relays[0]!["latencyMs"]!.GetValue<double>() > 0);
        Assert.Null(relays[1]!["latencyMs"]);
        Assert.Contains("http://127.0.0.1:1/ cannot be reached", string.Join('\n', seen["problems"]!.AsArray()));
    }

    [Fact]
    public async Task If_nobody_answers_it_ends_with_3_and_says_so_in_words()
    {
        CliResult result = await CliProcess.RunAsync("net", "doctor", "--no-port-mapping", "--relay", "http://127.0.0.1:1");
        Assert.Equal(3, result.ExitCode);
        Assert.Contains("No server that was asked answers", result.Output);
        Assert.Contains("! http://127.0.0.1:1/ cannot be reached", result.Output);
    }

    [Theory]
    [InlineData("--relay", "nonsense")]
    [InlineData("--stun", "host:0")]
    public async Task Servers_that_are_none_are_refused(string option, string value)
    {
        CliResult result = await CliProcess.RunAsync("net", "doctor", option, value);
        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.Contains($"'{value}'", result.Errors);
    }
}
