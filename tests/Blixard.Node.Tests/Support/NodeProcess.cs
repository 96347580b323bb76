using System.Diagnostics;
using System.Text.Json;
using System.Threading.Channels;
using Blixard.Cluster.Tokens;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Grpc;
using Blixard.V1;

namespace Blixard.Node.Tests.Support;

/// <summary>A node in a process of its own, which can be killed.</summary>
internal sealed class NodeProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Channel<JsonElement> _events = Channel.CreateUnbounded<JsonElement>();
    private readonly GrpcCaller _api;

    private NodeProcess(string name, string directory, JoinTicket? ticket, IReadOnlyDictionary<string, string>? variables)
    {
        Name = name;
        string host = Path.Combine(
            AppContext.BaseDirectory.Replace("Blixard.Node.Tests", "Blixard.Node.TestHost"), "Blixard.Node.TestHost.dll");
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, ArgumentList = { host, name, directory } };
        if (ticket is not null)
            start.ArgumentList.Add(ticket.ToString());
        foreach ((string key, string value) in variables ?? new Dictionary<string, string>())
            start.Environment[key] = value;
        _process = Process.Start(start)!;
        _ = ReadAsync();
        _api = new GrpcCaller(new GrpcCallerOptions { UnixSocketPath = NodeDefaults.ApiSocketPath(directory) }, TimeProvider.System);
    }

    public string Name { get; }

    public int Pid => _process.Id;

    public IRpcCaller Api => _api;

    /// <summary>Starts a node; with a ticket it joins.</summary>
    public static NodeProcess Start(
        TestCluster cluster, string name, JoinTicket? ticket = null, IReadOnlyDictionary<string, string>? variables = null) =>
        new(name, cluster.DirectoryOf(name), ticket, variables);

    /// <summary>Starts a node and waits until it serves.</summary>
    public static async Task<NodeProcess> StartReadyAsync(
        TestCluster cluster, string name, JoinTicket? ticket = null, IReadOnlyDictionary<string, string>? variables = null)
    {
        NodeProcess node = Start(cluster, name, ticket, variables);
        JsonElement first = await node.NextAsync();
        Assert.True(first.TryGetProperty("event", out JsonElement kind) && kind.GetString() == "ready", $"{name} said {first} instead of ready");
        return node;
    }

    /// <summary>The next line that the node printed.</summary>
    public async Task<JsonElement> NextAsync()
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        return await _events.Reader.ReadAsync(patience.Token);
    }

    public Task<TResponse> CallAsync<TRequest, TResponse>(RpcMethod<TRequest, TResponse> method, TRequest request)
        where TRequest : class, Google.Protobuf.IMessage<TRequest>, new()
        where TResponse : class, Google.Protobuf.IMessage<TResponse>, new() =>
        _api.CallAsync(method, request, RpcCallOptions.Within(TestNode.Patience));

    public async Task<JoinTicket> CreateTicketAsync()
    {
        CreateTokenResponse token = await CallAsync(ClusterMethods.CreateToken, new CreateTokenRequest());
        Assert.True(JoinTicket.TryParse(token.Ticket, out JoinTicket? ticket, out _));
        return ticket;
    }

    public async Task<StatusResponse> UntilAsync(Func<StatusResponse, bool> condition, string what)
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        StatusResponse status = await CallAsync(ClusterMethods.Status, new StatusRequest());
        while (!condition(status))
        {
            if (patience.IsCancellationRequested)
                Assert.Fail($"{Name} did not see within {TestNode.Patience.TotalSeconds} s: {what}. It sees {status}");
            await Task.Delay(50, CancellationToken.None);
            status = await CallAsync(ClusterMethods.Status, new StatusRequest());
        }

        return status;
    }

    public Task<StatusResponse> UntilLinkedAsync(params string[] names) => UntilAsync(
        status => names.All(name => status.Nodes.Any(node => node.Member.Node.Name == name && node.P2P.State == P2pState.Ready && node.P2P.RttMs > 0)),
        $"links to {string.Join(", ", names)}");

    /// <summary>SIGKILL, and waits for the end.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            await KillAsync();
        _api.Dispose();
        _process.Dispose();
    }

    private async Task ReadAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
            _events.Writer.TryWrite(JsonDocument.Parse(line).RootElement);
        _events.Writer.TryComplete();
    }
}
