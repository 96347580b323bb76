namespace Blixard.Cli.Demo;

/// <summary>The nodes of the demo and the folder that holds everything about them.</summary>
internal sealed class DemoCluster(string folder) : IAsyncDisposable
{
    private readonly List<DemoNode> _nodes = [];

    /// <summary>The nodes that were started and have not left, in the order of their start.</summary>
    public IReadOnlyList<DemoNode> Nodes => _nodes;

    /// <summary>Starts a node and adds it.</summary>
    public async Task<DemoNode> StartAsync(string name, string[] command, CancellationToken cancellationToken)
    {
        DemoNode node = await DemoNode.StartAsync(folder, name, command, cancellationToken).ConfigureAwait(false);
        _nodes.Add(node);
        return node;
    }

    /// <summary>Forgets a node whose process has ended.</summary>
    public async Task RemoveAsync(DemoNode node)
    {
        _nodes.Remove(node);
        await node.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Waits until the user has enough or all nodes ended.</summary>
    public Task WaitAsync(CancellationToken cancellationToken) => Task.WhenAll(_nodes.Select(node => node.WaitAsync(cancellationToken)));

    /// <summary>What a user can type in another terminal.</summary>
    public string HowToPlay()
    {
        string directory = _nodes[0].Directory;
        return $"""

            The nodes stay up until Ctrl-C. In another terminal:
              ./blixard status --data-dir {directory}
              ./blixard vm run again --image demo --data-dir {directory}
              ./blixard vm logs again --follow --data-dir {directory}
              ./blixard token create --data-dir {directory}
            """;
    }

    public async ValueTask DisposeAsync()
    {
        // The first node holds the store: it ends last, so that the others can say goodbye.
        foreach (DemoNode node in _nodes.AsEnumerable().Reverse())
            await node.DisposeAsync().ConfigureAwait(false);
        _nodes.Clear();
        Directory.Delete(folder, recursive: true);
    }
}
