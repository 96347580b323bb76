using System.Net;
using Blixard.Cluster.Tokens;
using Blixard.Node.Events;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Grpc;
using Blixard.V1;

namespace Blixard.Node.Tests.Support;

/// <summary>A node on loopback in this process, and its local API.</summary>
internal sealed class TestNode : IAsyncDisposable
{
    /// <summary>How long a condition may take before the test fails: far more than it needs on a busy machine.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly GrpcCaller _api;

    private TestNode(BlixardNode node)
    {
        Node = node;
        _api = new GrpcCaller(new GrpcCallerOptions { UnixSocketPath = node.ApiSocketPath }, TimeProvider.System);
    }

    public BlixardNode Node { get; }

    public IRpcCaller Api => _api;

    public static NodeOptions Options(TestCluster cluster, string name) => new()
    {
        Name = name,
        DataDirectory = cluster.DirectoryOf(name),
        Bind = [new IPEndPoint(IPAddress.Loopback, 0)],
        Grpc = new IPEndPoint(IPAddress.Loopback, 0),
        Vcpus = 4,
        MemoryMib = 4096,
    };

    public static async Task<TestNode> StartAsync(NodeOptions options, NodeStart start, Microsoft.Extensions.Logging.ILoggerFactory? log = null)
    {
        // A server may have to wait until Raft takes it in.
        using var patience = new CancellationTokenSource(Patience * 2);
        return new TestNode(await BlixardNode.StartAsync(options, start, log ?? TestLog.Factory, patience.Token));
    }

    public Task<TResponse> CallAsync<TRequest, TResponse>(RpcMethod<TRequest, TResponse> method, TRequest request)
        where TRequest : class, Google.Protobuf.IMessage<TRequest>, new()
        where TResponse : class, Google.Protobuf.IMessage<TResponse>, new() =>
        Api.CallAsync(method, request, RpcCallOptions.Within(Patience));

    public Task<StatusResponse> StatusAsync() => CallAsync(ClusterMethods.Status, new StatusRequest());

    public async Task<JoinTicket> CreateTicketAsync(TimeSpan? ttl = null, NodeRole role = NodeRole.Worker)
    {
        var request = new CreateTokenRequest { Role = role };
        if (ttl is { } time)
            request.Ttl = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(time);
        CreateTokenResponse token = await CallAsync(ClusterMethods.CreateToken, request);
        Assert.True(JoinTicket.TryParse(token.Ticket, out JoinTicket? ticket, out _));
        return ticket;
    }

    /// <summary>Waits until the status fulfils a condition, and returns it.</summary>
    public async Task<StatusResponse> UntilAsync(Func<StatusResponse, bool> condition, string what)
    {
        using var patience = new CancellationTokenSource(Patience);
        StatusResponse status = await StatusAsync();
        while (!condition(status))
        {
            if (patience.IsCancellationRequested)
                Assert.Fail($"{Node.Name} did not see within {Patience.TotalSeconds} s: {what}. It sees {status}");
            // Asking again is how the condition is noticed; it is not waited for blindly.
            await Task.Delay(50, CancellationToken.None);
            status = await StatusAsync();
        }

        return status;
    }

    public Task<StatusResponse> UntilLinkedAsync(params string[] names) => UntilAsync(
        status => names.All(name => status.Nodes.Any(node => node.Member.Node.Name == name && node.P2P.State == P2pState.Ready && node.P2P.RttMs > 0)),
        $"links to {string.Join(", ", names)}");

    public async Task<T> UntilEventAsync<T>(IAsyncEnumerable<NodeEvent> events)
        where T : NodeEvent
    {
        using var patience = new CancellationTokenSource(Patience);
        await foreach (NodeEvent item in events.WithCancellation(patience.Token))
        {
            if (item is T wanted)
                return wanted;
        }

        throw new InvalidOperationException($"the events ended without {typeof(T).Name}");
    }

    public async ValueTask DisposeAsync()
    {
        _api.Dispose();
        await Node.DisposeAsync();
    }
}
