using Blixard.MicroVm.Hosting;
using Blixard.MicroVm.Model;
using Blixard.MicroVm.Qemu;

namespace Blixard.Cli.Demo;

/// <summary>The nodes of the demo and the folder that holds everything about them.</summary>
internal sealed class DemoCluster(string folder) : IAsyncDisposable
{
    private static readonly TimeSpan s_pollInterval = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_vmLimit = TimeSpan.FromSeconds(15);

    private readonly List<DemoNode> _nodes = [];
    private readonly TaskCompletionSource<DemoNode> _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes with the first node whose process ended although it should not have.</summary>
    public Task<DemoNode> Failed => _failed.Task;

    /// <summary>The nodes that were started and have not left, in the order of their start.</summary>
    public IReadOnlyList<DemoNode> Nodes => _nodes;

    /// <summary>The node with a name.</summary>
    public DemoNode this[string name] => _nodes.First(node => node.Name == name);

    /// <summary>The way to a machine behind a NAT; null before <see cref="BuildInternetAsync"/> and where there can be none.</summary>
    public DemoInternet? Internet { get; private set; }

    /// <summary>Makes <see cref="Internet"/>; why it cannot be had, or "".</summary>
    public async Task<string> BuildInternetAsync(CancellationToken cancellationToken)
    {
        (Internet, string problem) = await DemoInternet.TryCreateAsync(folder, cancellationToken).ConfigureAwait(false);
        return problem;
    }

    /// <summary>Kills a node as if its machine had lost its power, and forgets it; its data stays.</summary>
    public async Task KillAsync(DemoNode node)
    {
        node.Kill();
        await RemoveAsync(node).ConfigureAwait(false);
    }

    /// <summary>Starts a node and adds it.</summary>
    public async Task<DemoNode> StartAsync(string name, string[] command, CancellationToken cancellationToken)
    {
        DemoNode node = await DemoNode.StartAsync(folder, name, command, PlaceOf(name), cancellationToken).ConfigureAwait(false);
        _nodes.Add(node);
        _ = WatchAsync(node);
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
              ./blixard vm logs -f again --data-dir {directory}
              ./blixard token create --data-dir {directory}
            """;
    }

    public async ValueTask DisposeAsync()
    {
        // The first node holds the store: it ends last, so that the others can say goodbye.
        foreach (DemoNode node in _nodes.AsEnumerable().Reverse())
            await node.DisposeAsync().ConfigureAwait(false);
        _nodes.Clear();
        if (Internet is not null)
            await Internet.DisposeAsync().ConfigureAwait(false);
        // VMs outlive nodes, but not the demo.
        foreach (string directory in Directory.EnumerateDirectories(folder))
            await EndVmsAsync(directory).ConfigureAwait(false);
        Directory.Delete(folder, recursive: true);
    }

    // The first node is found at the relay, too; the fourth is at home, behind the NAT.
    private DemoPlace PlaceOf(string name) => (name, Internet) switch
    {
        (_, null) => DemoPlace.Here,
        ("one", { } internet) => DemoPlace.Here with { P2p = $"{DemoInternet.HereAddress}:0", Options = internet.NodeOptions, Variables = internet.NodeVariables },
        ("four", { } internet) => new DemoPlace(
            $"{DemoInternet.HomeAddress}:0", $"{DemoInternet.HomeAddress}:0", internet.Home, internet.NodeOptions, internet.NodeVariables),
        // Where UDP is cut, Raft shall take gRPC, not a relay.
        _ => DemoPlace.Here with { Options = ["--no-relay"] },
    };

    private async Task WatchAsync(DemoNode node)
    {
        await node.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        if (!node.MayEnd)
            _failed.TrySetResult(node);
    }

    // Does what the node would: takes the VMs over, wants none of them, and waits until they are gone.
    private static async Task EndVmsAsync(string directory)
    {
        using var limit = new CancellationTokenSource(s_vmLimit);
        try
        {
            await using VmHost host = await VmHost.OpenAsync(
                new VmHostOptions { DataDirectory = directory, StopGrace = TimeSpan.Zero },
                new QemuDriver(new QemuDriverOptions { DataDirectory = directory }),
                limit.Token).ConfigureAwait(false);
            host.Apply([]);
            while (host.GetStatuses().Count > 0)
                await Task.Delay(s_pollInterval, limit.Token).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is OperationCanceledException or VmException)
        {
            await Console.Error.WriteLineAsync($"VMs of {directory} may still run: {exception.Message}").ConfigureAwait(false);
        }
    }
}
