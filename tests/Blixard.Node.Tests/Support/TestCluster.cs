namespace Blixard.Node.Tests.Support;

/// <summary>Nodes of one test, with data directories that go with it.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("blixard-node-").FullName;
    private readonly List<TestNode> _nodes = [];

    /// <summary>Ends what outlives the nodes, after them and before their directories go.</summary>
    public Action EndLeftovers { get; set; } = () => { };

    public string DirectoryOf(string name) => Path.Combine(_root, name);

    public Task<TestNode> UpAsync(string name, Func<NodeOptions, NodeOptions>? change = null) => StartAsync(name, new NodeStart.Up(), change);

    public async Task<TestNode> JoinAsync(string name, TestNode through, Func<NodeOptions, NodeOptions>? change = null) =>
        await StartAsync(name, new NodeStart.Join(await through.CreateTicketAsync()), change);

    public Task<TestNode> UpEtcdAsync(string name, Func<NodeOptions, NodeOptions>? change = null) => StartAsync(name, new NodeStart.Up("etcd"), change);

    public async Task<TestNode> JoinServerAsync(string name, TestNode through, Func<NodeOptions, NodeOptions>? change = null, string? replace = null) =>
        await StartAsync(name, new NodeStart.Join(await through.CreateTicketAsync(role: V1.NodeRole.Server), AsServer: true, replace), change);

    /// <summary>Three servers that all vote.</summary>
    public async Task<(TestNode One, TestNode Two, TestNode Three)> UpThreeAsync(Func<NodeOptions, NodeOptions>? change = null)
    {
        TestNode one = await UpEtcdAsync("one", change);
        TestNode two = await JoinServerAsync("two", one, change);
        TestNode three = await JoinServerAsync("three", one, change);
        await three.UntilAsync(status => status.Nodes.Count(node => node.Raft is { Healthy: true, Role: V1.RaftRole.Leader or V1.RaftRole.Follower }) == 3, "three voters");
        return (one, two, three);
    }

    public async Task<TestNode> StartAsync(
        string name, NodeStart start, Func<NodeOptions, NodeOptions>? change = null, Microsoft.Extensions.Logging.ILoggerFactory? log = null)
    {
        NodeOptions options = TestNode.Options(this, name);
        TestNode node = await TestNode.StartAsync(change?.Invoke(options) ?? options, start, log);
        _nodes.Add(node);
        return node;
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_nodes.Select(node => node.DisposeAsync().AsTask()));
        EndLeftovers();
        Directory.Delete(_root, recursive: true);
    }
}
