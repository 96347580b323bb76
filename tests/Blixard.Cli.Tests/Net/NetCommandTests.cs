using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Blixard.Testing.Basics;

namespace Blixard.Cli.Tests.Net;

public sealed class NetCommandTests : IDisposable
{
    private const string Protocol = "cli-test/1";

    private readonly string _folder = Directory.CreateTempSubdirectory("blixard-cli-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task An_id_is_kept_in_a_file_that_only_its_owner_reads()
    {
        CliResult first = await CliProcess.RunAsync("net", "id", "--key", File("key"), "--json");
        Assert.Equal(0, first.ExitCode);
        Assert.Equal(64, Text(Assert.Single(first.Lines), "endpointId").Length);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, System.IO.File.GetUnixFileMode(File("key")));
        Assert.Equal(first.Output, (await CliProcess.RunAsync("net", "id", "--key", File("key"), "--json")).Output);

        System.IO.File.SetUnixFileMode(File("key"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
        CliResult refused = await CliProcess.RunAsync("net", "id", "--key", File("key"), "--json");
        Assert.Equal((1, ""), (refused.ExitCode, refused.Output));
        Assert.Contains("chmod 600", refused.Errors);
    }

    [Theory]
    [InlineData("net", "unknown")]
    [InlineData("net", "listen")]
    [InlineData("net", "connect", "endpointxyz", "--alpn", "a")]
    [InlineData("net", "connect", "nonsense", "--alpn", "a")]
    [InlineData("net", "listen", "--alpn", "a", "--bind", "here")]
    [InlineData("net", "ping", "endpointaa", "-c", "0")]
    [InlineData("net", "bench", "--seconds", "0")]
    public async Task A_command_line_that_makes_no_sense_ends_with_2_and_says_why(params string[] arguments)
    {
        CliResult result = await CliProcess.RunAsync(arguments);
        Assert.Equal(2, result.ExitCode);
        Assert.StartsWith("error: ", result.Errors);
        Assert.Equal("", result.Output);
    }

    [Theory]
    [InlineData("--streams", "1")]
    [InlineData("--streams", "20")]
    [InlineData("--streams", "20", "--uni")]
    public async Task A_file_is_echoed_over_streams(params string[] options)
    {
        (CliProcess listener, string ticket) = await ListenAsync();
        await using CliProcess _ = listener;
        byte[] data = RandomNumberGenerator.GetBytes(300_000);
        await System.IO.File.WriteAllBytesAsync(File("in"), data, TestContext.Current.CancellationToken);
        CliResult result = await CliProcess.RunAsync(
            ["net", "connect", ticket, "--alpn", Protocol, "--send", File("in"), "--recv", File("out"), "--json", .. options]);
        Assert.True(result.ExitCode == 0, result.Errors);

        int streams = int.Parse(options[1]);
        byte[] expected = [.. Enumerable.Repeat(data, streams).SelectMany(part => part)];
        Assert.Equal(expected, await System.IO.File.ReadAllBytesAsync(File("out"), TestContext.Current.CancellationToken));
        (JsonNode connected, JsonNode done) = (result.Lines[0], result.Lines[1]);
        Assert.Equal(("connected", Protocol, "direct"), (Text(connected, "event"), Text(connected, "alpn"), Text(connected["path"]!, "kind")));
        Assert.True(connected["handshakeMs"]!.GetValue<double>() > 0);
        Assert.Equal(expected.Length, done["bytesSent"]!.GetValue<int>());
        Assert.Equal(expected.Length, done["bytesReceived"]!.GetValue<int>());
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(expected)), Text(done, "sha256Received"));

        JsonNode seen = await listener.ReadEventAsync("connected");
        JsonNode closed = await listener.ReadEventAsync("closed");
        Assert.Equal(Text(seen, "remoteId"), Text(closed, "remoteId"));
    }

    [Fact]
    public async Task Datagrams_are_echoed()
    {
        (CliProcess listener, string ticket) = await ListenAsync();
        await using CliProcess _ = listener;
        CliResult result = await CliProcess.RunAsync("net", "connect", ticket, "--alpn", Protocol, "--datagrams", "10", "--json");
        Assert.True(result.ExitCode == 0, result.Errors);
        Assert.Equal(10_000, result.Lines[1]["bytesReceived"]!.GetValue<int>());
    }

    [Fact]
    public async Task Pings_are_answered()
    {
        (CliProcess listener, string ticket) = await ListenAsync();
        await using CliProcess _ = listener;
        CliResult result = await CliProcess.RunAsync("net", "ping", ticket, "-c", "2", "--json");
        Assert.True(result.ExitCode == 0, result.Errors);
        Assert.Equal([1, 2], result.Lines.Select(line => line["seq"]!.GetValue<int>()));
        Assert.All(result.Lines, line => Assert.True(line["rttMs"]!.GetValue<double>() > 0));
    }

    [Fact]
    public async Task An_answer_that_is_no_pong_is_named()
    {
        await using CliProcess listener = CliProcess.Start("net", "listen", "--alpn", "iroh/ping/0", "--echo", "--bind", "127.0.0.1:0", "--json");
        string ticket = Text(await listener.ReadJsonAsync(), "ticket");
        CliResult result = await CliProcess.RunAsync("net", "ping", ticket, "-c", "1", "--json");
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.StartsWith("error: ", result.Errors);
        Assert.Contains("accepts iroh/ping/0, but does not answer pings", result.Errors);
    }

    [Fact]
    public async Task A_protocol_that_nobody_speaks_there_ends_with_4()
    {
        (CliProcess listener, string ticket) = await ListenAsync();
        await using CliProcess _ = listener;
        CliResult result = await CliProcess.RunAsync("net", "connect", ticket, "--alpn", "other/1", "--json");
        Assert.Equal((4, ""), (result.ExitCode, result.Output));
        Assert.Contains("does not speak 'other/1'", result.Errors);
    }

    [Fact]
    public async Task A_taken_port_is_named_with_a_remedy()
    {
        await using CliProcess listener = CliProcess.Start("net", "listen", "--alpn", Protocol, "--bind", "127.0.0.1:0", "--json");
        string address = Assert.Single((await listener.ReadJsonAsync())["directAddresses"]!.AsArray())!.GetValue<string>();
        CliResult result = await CliProcess.RunAsync("net", "listen", "--alpn", Protocol, "--bind", address);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains($"port {address.Split(':')[1]}/udp on 127.0.0.1 is already in use", result.Errors);
    }

    [Fact]
    public async Task The_bench_prints_both_figures_and_their_ratio()
    {
        CliResult result = await CliProcess.RunAsync("net", "bench", "--seconds", "0.3", "--streams", "2", "--compare", "tls", "--json");
        Assert.True(result.ExitCode == 0, result.Errors);
        JsonNode line = Assert.Single(result.Lines);
        Assert.All(["gbitPerSecond", "tlsGbitPerSecond", "ratio"], (string name) => Assert.True(line[name]!.GetValue<double>() > 0, name));
    }

    [Fact]
    public async Task The_real_iroh_echoes_what_connect_sends()
    {
        await using IrohPeer peer = IrohPeer.Start();
        CancellationToken cancel = Patience.Token;
        JsonNode bound = await peer.CallAsync("bind", new { alpns = new[] { Protocol }, address = "127.0.0.1:0" }, cancel);
        Task echo = EchoAsync(peer, bound["endpoint"]!.GetValue<int>(), cancel);
        await System.IO.File.WriteAllBytesAsync(File("in"), RandomNumberGenerator.GetBytes(1_000_000), cancel);
        CliResult result = await CliProcess.RunAsync(
            "net", "connect", Text(bound, "ticket"), "--alpn", Protocol, "--send", File("in"), "--recv", File("out"), "--datagrams", "3", "--json");
        Assert.True(result.ExitCode == 0, result.Errors);
        Assert.Equal(Text(bound, "endpointId"), Text(result.Lines[0], "remoteId"));
        Assert.Equal(
            await System.IO.File.ReadAllBytesAsync(File("in"), cancel), (await System.IO.File.ReadAllBytesAsync(File("out"), cancel))[..1_000_000]);
        await echo;
    }

    [Fact]
    public async Task The_real_iroh_is_echoed_by_listen()
    {
        (CliProcess listener, string ticket) = await ListenAsync();
        await using CliProcess _ = listener;
        await using IrohPeer peer = IrohPeer.Start();
        CancellationToken cancel = Patience.Token;
        JsonNode bound = await peer.CallAsync("bind", new { address = "127.0.0.1:0" }, cancel);
        JsonNode dialled = await peer.CallAsync("connect", new { endpoint = bound["endpoint"]!.GetValue<int>(), ticket, alpn = Protocol }, cancel);
        JsonNode opened = await peer.CallAsync("openBi", new { connection = dialled["connection"]!.GetValue<int>() }, cancel);
        int stream = opened["stream"]!.GetValue<int>();
        await peer.CallAsync("write", new { stream, data = "00112233" }, cancel);
        await peer.CallAsync("finish", new { stream }, cancel);
        Assert.Equal("00112233", Text(await peer.CallAsync("read", new { stream, limit = 4 }, cancel), "data"));
    }

    private static async Task EchoAsync(IrohPeer peer, int endpoint, CancellationToken cancel)
    {
        JsonNode accepted = await peer.CallAsync("accept", new { endpoint }, cancel);
        await peer.CallAsync("echo", new { connection = accepted["connection"]!.GetValue<int>() }, cancel);
    }

    [Fact]
    public async Task Listening_ends_in_order_with_Ctrl_C()
    {
        (CliProcess listener, string _) = await ListenAsync();
        await using CliProcess owned = listener;
        CliResult end = await listener.EndAsync("INT");
        Assert.Equal((0, "", ""), (end.ExitCode, end.Output, end.Errors));
    }

    private static async Task<(CliProcess Process, string Ticket)> ListenAsync()
    {
        CliProcess process = CliProcess.Start("net", "listen", "--alpn", Protocol, "--echo", "--bind", "127.0.0.1:0", "--no-relay", "--json");
        JsonNode listening = await process.ReadJsonAsync();
        Assert.Equal("listening", Text(listening, "event"));
        Assert.Null(listening["relayUrl"]);
        Assert.Single(listening["directAddresses"]!.AsArray());
        return (process, Text(listening, "ticket"));
    }

    private static string Text(JsonNode node, string property) => node[property]!.GetValue<string>();

    private string File(string name) => Path.Combine(_folder, name);
}
