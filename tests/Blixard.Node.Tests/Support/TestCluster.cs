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

    public async Task<TestNode> StartAsync(string name, NodeStart start, Func<NodeOptions, NodeOptions>? change = null)
    {
        NodeOptions options = TestNode.Options(this, name);
        TestNode node = await TestNode.StartAsync(change?.Invoke(options) ?? options, start);
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
