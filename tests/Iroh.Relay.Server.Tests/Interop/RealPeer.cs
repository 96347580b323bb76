using System.Diagnostics;
using System.Text.Json.Nodes;
using Blixard.Testing.Basics;
using Iroh.Base;

namespace Iroh.Relay.Server.Tests.Interop;

/// <summary>A real iroh endpoint that uses one relay.</summary>
internal sealed class RealPeer : IAsyncDisposable
{
    /// <summary>The protocol that all accept.</summary>
    public const string Protocol = "interop/1";

    private readonly IrohPeer _process;
    private readonly int _endpoint;
    private readonly RelayUrl _relay;

    private RealPeer(IrohPeer process, int endpoint, EndpointId id, RelayUrl relay) => (_process, _endpoint, Id, _relay) = (process, endpoint, id, relay);

    public EndpointId Id { get; }

    /// <summary>A ticket that names the relay alone.</summary>
    public string RelayTicket => new EndpointTicket(new EndpointAddress(Id, [TransportAddress.Relay(_relay)])).ToString();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Starts a process and an endpoint; does not wait for the relay.</summary>
    public static async Task<RealPeer> StartAsync(
        RelayUrl relay, SecretKey? key = null, string? token = null, string address = "127.0.0.1:0", Func<string, string[], ProcessStartInfo>? command = null)
    {
        var process = IrohPeer.Start(command);
        try
        {
            JsonNode bound = await process.CallAsync(
                "bind",
                new
                {
                    seed = key is null ? null : Convert.ToHexStringLower(key.Seed),
                    alpns = new[] { Protocol },
                    address,
                    // Without a token the key must be missing, not null.
                    relays = new[] { token is null ? new JsonObject { ["url"] = relay.ToString() } : new JsonObject { ["url"] = relay.ToString(), ["authToken"] = token } },
                },
                Cancel);
            return new RealPeer(process, bound["endpoint"]!.GetValue<int>(), EndpointId.Parse(bound["endpointId"]!.GetValue<string>()), relay);
        }
        catch (Exception)
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits until it is connected to its relay.</summary>
    public Task<JsonNode> OnlineAsync() => _process.CallAsync("online", new { endpoint = _endpoint }, Cancel);

    /// <summary>Dials another.</summary>
    public async Task<int> ConnectAsync(string ticket) => Number(await _process.CallAsync("connect", new { endpoint = _endpoint, ticket, alpn = Protocol }, Cancel), "connection");

    /// <summary>Accepts a connection.</summary>
    public async Task<int> AcceptAsync() => Number(await _process.CallAsync("accept", new { endpoint = _endpoint }, Cancel), "connection");

    /// <summary>Sends something about one of its objects.</summary>
    public Task<JsonNode> CallAsync(string op, object arguments) => _process.CallAsync(op, arguments, Cancel);

    /// <summary>Echoes all that comes, until the connection ends.</summary>
    public Task<JsonNode> EchoAsync(int connection) => CallAsync("echo", new { connection });

    /// <summary>Sends bytes on a new stream and reads their echo.</summary>
    /// <returns>How many came back.</returns>
    public async Task<int> EchoedAsync(int connection, int length)
    {
        int stream = Number(await CallAsync("openBi", new { connection }), "stream");
        Task<JsonNode> reading = CallAsync("readAll", new { stream });
        await CallAsync("writePattern", new { stream, length, seed = 5 });
        await CallAsync("finish", new { stream });
        return Number(await reading, "length");
    }

    /// <summary>Whether data goes over a direct path now.</summary>
    public async Task<bool> IsDirectAsync(int connection)
    {
        JsonNode paths = await CallAsync("paths", new { connection });
        return paths["paths"]!.AsArray().Any(path => path!["isSelected"]!.GetValue<bool>() && path["isIp"]!.GetValue<bool>());
    }

    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private static int Number(JsonNode result, string name) => result[name]!.GetValue<int>();
}
