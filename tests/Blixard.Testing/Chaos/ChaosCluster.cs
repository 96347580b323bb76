using Blixard.Cluster.Store;
using Blixard.Rpc.Calls;
using Blixard.Testing.Namespaces;
using Blixard.V1;
using Iroh.Cryptography;

namespace Blixard.Testing.Chaos;

/// <summary>What a cluster is made of.</summary>
public sealed record ChaosClusterOptions
{
    /// <summary>The path of blixard.dll.</summary>
    public required string Program { get; init; }

    /// <summary>The servers' names; the first one makes the cluster. One with "sqlite", an odd number with "etcd".</summary>
    public IReadOnlyList<string> Servers { get; init; } = ["a", "b", "c"];

    /// <summary>The workers' names.</summary>
    public IReadOnlyList<string> Workers { get; init; } = [];

    /// <summary>"sqlite" or "etcd".</summary>
    public string Engine { get; init; } = "etcd";

    /// <summary>Further options for some nodes, by name.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> OptionsOf { get; init; } = new Dictionary<string, IReadOnlyList<string>>();

    /// <summary>Variables for every node.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>The path of Blixard.FakeQemu.dll, which takes QEMU's place; null = no VMs.</summary>
    public string? VmProgram { get; init; }

    /// <summary>Nodes whose data directory is on a small disk of its own, with its size in MiB.</summary>
    public IReadOnlyDictionary<string, int> Disks { get; init; } = new Dictionary<string, int>();
}

/// <summary>Nodes as processes in a <see cref="NetworkLab"/>, joined to one cluster. One owner.</summary>
public sealed class ChaosCluster : IAsyncDisposable
{
    private readonly ChaosClusterOptions _options;
    private readonly Dictionary<string, LabNode> _nodes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, LabDisk> _disks = new(StringComparer.Ordinal);
    private readonly Dictionary<string, RemoteStore> _stores = new(StringComparer.Ordinal);

    private ChaosCluster(NetworkLab lab, ChaosClusterOptions options) => (Lab, _options) = (lab, options);

    /// <summary>The network.</summary>
    public NetworkLab Lab { get; }

    /// <summary>All nodes, servers first.</summary>
    public IReadOnlyList<LabNode> Nodes => [.. _nodes.Values];

    /// <summary>The servers.</summary>
    public IReadOnlyList<LabNode> Servers => [.. _options.Servers.Select(name => _nodes[name])];

    /// <summary>The workers.</summary>
    public IReadOnlyList<LabNode> Workers => [.. _options.Workers.Select(name => _nodes[name])];

    /// <summary>A node by its name.</summary>
    public LabNode this[string name] => _nodes[name];

    /// <summary>The disk of a node that has one of its own.</summary>
    public LabDisk DiskOf(string name) => _disks[name];

    /// <summary>The folder in which VMs keep records of their lives; see <see cref="VmLives"/>.</summary>
    public string LivesFolder => Path.Combine(Lab.Folder, "lives");

    /// <summary>What the nodes printed last; for messages about failures.</summary>
    public string Tails => string.Join('\n', Nodes.Select(node => node.Tail));

    /// <summary>Makes the network, starts every node and waits until all of them see each other.</summary>
    public static async Task<ChaosCluster> StartAsync(ChaosClusterOptions options)
    {
        string[] names = [.. options.Servers, .. options.Workers];
        var cluster = new ChaosCluster(await NetworkLab.CreateAsync(names).ConfigureAwait(false), options);
        try
        {
            if (options.VmProgram is { } program)
                WriteProgram(cluster.VmProgramPath, program);
            foreach (string name in names)
                await cluster.AddAsync(name).ConfigureAwait(false);
            await cluster._nodes[names[0]].StartAsync("up", "--engine", options.Engine).ConfigureAwait(false);
            foreach (string name in names.Skip(1))
                await cluster.JoinAsync(name).ConfigureAwait(false);
            await cluster.UntilWholeAsync().ConfigureAwait(false);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Starts a node that belongs to no cluster by a ticket of another server.</summary>
    public async Task JoinAsync(string name, params IReadOnlyList<string> options)
    {
        NodeRole role = _options.Servers.Contains(name) ? NodeRole.Server : NodeRole.Worker;
        LabNode through = Servers.First(server => server.Name != name && server.IsRunning);
        string ticket = await through.CreateTicketAsync(role).ConfigureAwait(false);
        await _nodes[name].StartAsync(["join", ticket, "--role", role == NodeRole.Server ? "server" : "worker", .. options]).ConfigureAwait(false);
    }

    /// <summary>Waits until every node sees every other over P2P and gRPC, with nothing to complain about.</summary>
    public async Task UntilWholeAsync()
    {
        foreach (LabNode node in Nodes)
            await node.UntilStatusAsync(status => ClusterView.IsWhole(status, _nodes.Keys), "the cluster whole: every member ready, everything over P2P").ConfigureAwait(false);
    }

    /// <summary>A store as a node has it: any server answers for it, <paramref name="first"/> preferred, each asked through its local API.
    /// The caller disposes it.</summary>
    public IClusterStore OpenStore(string first)
    {
        IClusterStore[] candidates = [_stores[first], .. _options.Servers.Where(name => name != first).Select(name => _stores[name])];
        return new FailoverStore(() => candidates, TimeProvider.System, OperatingSystemRandomSource.Instance);
    }

    /// <summary>The server that leads; waits until one does.</summary>
    public async Task<LabNode> FindLeaderAsync()
    {
        StatusResponse status = await Servers.First(server => server.IsRunning)
            .UntilStatusAsync(seen => _options.Servers.Contains(seen.Leader), "a leader").ConfigureAwait(false);
        return _nodes[status.Leader];
    }

    /// <summary>Waits until the other servers have a leader that is not <paramref name="former"/>; its name.</summary>
    public async Task<string> UntilOtherLeaderAsync(LabNode former)
    {
        LabNode asked = Servers.First(server => server != former && server.IsRunning);
        return (await asked.UntilStatusAsync(
            status => _options.Servers.Contains(status.Leader) && status.Leader != former.Name, $"a leader other than {former.Name}").ConfigureAwait(false)).Leader;
    }

    /// <summary>Sees to it that a server follows.</summary>
    public async Task MoveLeaderAwayAsync(LabNode server)
    {
        while (await FindLeaderAsync().ConfigureAwait(false) == server)
        {
            // A leader whose etcd dies is followed by somebody: another, or itself when it is back soon enough.
            ulong term = (await server.UntilStatusAsync(status => status.Leader == server.Name, "itself as leader").ConfigureAwait(false)).RaftTerm;
            server.KillEtcd();
            LabNode asked = Servers.First(other => other != server && other.IsRunning);
            await asked.UntilStatusAsync(status => status.RaftTerm > term && _options.Servers.Contains(status.Leader), "a leader in a later term").ConfigureAwait(false);
            await UntilWholeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Waits until something holds.</summary>
    /// <exception cref="LabException">It did not in time.</exception>
    public async Task UntilAsync(Func<bool> condition, string what)
    {
        using var limit = new CancellationTokenSource(LabNode.Patience);
        while (!condition())
        {
            if (limit.IsCancellationRequested)
                throw new LabException($"not within {LabNode.Patience.TotalSeconds:0} s: {what}\n{Tails}");
            await Task.Delay(20).ConfigureAwait(false);
        }
    }

    /// <summary>Packs an image of a few bytes on a node; enough for a VM that runs no guest.</summary>
    public async Task AddImageAsync(string node, string name)
    {
        string kernel = Path.Combine(Lab.Folder, "kernel-" + name);
        await File.WriteAllTextAsync(kernel, "no guest").ConfigureAwait(false);
        await foreach (ImageProgress _ in _nodes[node].Api.StreamAsync(
            ImageMethods.Add, new AddImageRequest { Name = name, KernelPath = kernel }, RpcCallOptions.Within(LabNode.Patience)).ConfigureAwait(false))
        {
            // Only the end counts.
        }
    }

    /// <summary>Ends every node and removes the network.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (RemoteStore store in _stores.Values)
            await store.DisposeAsync().ConfigureAwait(false);
        foreach (LabNode node in Nodes)
            await node.DisposeAsync().ConfigureAwait(false);
        await Lab.DisposeAsync().ConfigureAwait(false);
    }

    private string VmProgramPath => Path.Combine(Lab.Folder, "qemu");

    private static void WriteProgram(string path, string assembly)
    {
        File.WriteAllText(path, $"#!/bin/sh\nexec dotnet '{assembly}' \"$@\"\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
    }

    private async Task AddAsync(string name)
    {
        string directory = Path.Combine(Lab.Folder, name);
        if (_options.Disks.TryGetValue(name, out int sizeMib))
            _disks[name] = await Lab.MountDiskAsync(directory, sizeMib).ConfigureAwait(false);
        var node = new LabNode(Lab[name], directory, _options.Program, _options.OptionsOf.GetValueOrDefault(name, []));
        foreach ((string variable, string value) in _options.Environment)
            node.Environment[variable] = value;
        if (_options.VmProgram is not null)
        {
            node.Environment["BLIXARD_QEMU"] = VmProgramPath;
            node.Environment["BLIXARD_LIVES"] = LivesFolder;
            node.Environment["BLIXARD_LIVES_HOST"] = name;
        }

        _nodes[name] = node;
        _stores[name] = new RemoteStore(node.Api, name, TimeProvider.System);
    }
}
