using System.Text.Json.Nodes;
using Blixard.Testing.Basics;

namespace Blixard.Cli.Tests.Net;

/// <summary>Ids and pings of the command line against the real iroh.</summary>
public sealed class RealIrohTests : IDisposable
{
    private const string Protocol = "cli-ping-test/1";

    private readonly string _folder = Directory.CreateTempSubdirectory("blixard-cli-").FullName;

    private static CancellationToken Cancel => Patience.Token;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_real_iroh_reads_the_id_that_is_shown()
    {
        await using IrohPeer peer = IrohPeer.Start();
        CliResult result = await CliProcess.RunAsync("net", "id", "--key", Path.Combine(_folder, "key"), "--json");
        string id = result.Lines[0]["endpointId"]!.GetValue<string>();
        Assert.Equal(id, (await peer.CallAsync("endpointId", new { text = id }, Cancel))["endpointId"]!.GetValue<string>());
    }

    [Fact]
    public async Task The_real_iroh_answers_pings_as_anybody_who_echoes()
    {
        await using IrohPeer peer = IrohPeer.Start();
        JsonNode bound = await peer.CallAsync("bind", new { alpns = new[] { Protocol }, address = "127.0.0.1:0" }, Cancel);
        Task<JsonNode> accepting = peer.CallAsync("accept", new { endpoint = bound["endpoint"]!.GetValue<int>() }, Cancel);
        Task<CliResult> pinging = CliProcess.RunAsync(
            "net", "ping", bound["ticket"]!.GetValue<string>(), "-c", "2", "--alpn", Protocol, "--json");
        Task<JsonNode> echoing = peer.CallAsync("echo", new { connection = (await accepting)["connection"]!.GetValue<int>() }, Cancel);
        CliResult result = await pinging;
        Assert.True(result.ExitCode == 0, result.Errors);
        Assert.Equal([1, 2], result.Lines.Select(line => line["seq"]!.GetValue<int>()));
        await echoing;
    }

    [Fact]
    public async Task The_real_iroh_is_answered_when_it_pings_a_listener()
    {
        await using CliProcess listener = CliProcess.Start("net", "listen", "--alpn", "any/1", "--bind", "127.0.0.1:0", "--json");
        string ticket = (await listener.ReadJsonAsync())["ticket"]!.GetValue<string>();
        await using IrohPeer peer = IrohPeer.Start();
        JsonNode bound = await peer.CallAsync("bind", new { address = "127.0.0.1:0" }, Cancel);
        JsonNode dialled = await peer.CallAsync(
            "connect", new { endpoint = bound["endpoint"]!.GetValue<int>(), ticket, alpn = "iroh/ping/0" }, Cancel);
        int stream = (await peer.CallAsync("openBi", new { connection = dialled["connection"]!.GetValue<int>() }, Cancel))["stream"]!.GetValue<int>();
        await peer.CallAsync("write", new { stream, data = Convert.ToHexString("PING"u8) }, Cancel);
        await peer.CallAsync("finish", new { stream }, Cancel);
        string answer = (await peer.CallAsync("read", new { stream, limit = 4 }, Cancel))["data"]!.GetValue<string>();
        Assert.Equal("PONG"u8.ToArray(), Convert.FromHexString(answer));
    }
}
