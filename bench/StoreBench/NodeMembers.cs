using System.Diagnostics;
using System.Text.Json.Nodes;
using Blixard.Etcd.Client;

namespace StoreBench;

/// <summary>Three nodes on loopback, each a server with its etcd, whose Raft traffic takes the nodes' P2P links or, with P2P switched
/// off, their gRPC.</summary>
internal sealed class NodeMembers : IMembers
{
    private static readonly string s_program = Path.Combine(AppContext.BaseDirectory, "blixard.dll");
    private static readonly string[] s_names = ["a", "b", "c"];

    private readonly Children _children = new();

    public IReadOnlyList<string> ClientSockets => [.. s_names.Select(name => Path.Combine(DirectoryOf(name), "etcd", "client:0"))];

    public IReadOnlyList<int> EtcdProcesses => Consumption.ChildrenOf(_children.Processes);

    public IReadOnlyList<int> NodeProcesses => _children.Processes;

    public static async Task<NodeMembers> StartAsync(bool p2p)
    {
        var members = new NodeMembers();
        try
        {
            string[] common = p2p ? [] : ["--no-p2p"];
            await members.StartNodeAsync("a", ["up", "--engine", "etcd", .. common]);
            foreach (string name in s_names.Skip(1))
                await members.StartNodeAsync(name, ["join", await members.CreateTicketAsync(), "--role", "server", .. common]);
            await members.UntilAllVoteAsync();
            await PlainEtcd.UntilServingAsync(members.ClientSockets);
            return members;
        }
        catch
        {
            await members.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync() => _children.DisposeAsync();

    private string DirectoryOf(string name) => Path.Combine(_children.Folder, name);

    private async Task StartNodeAsync(string name, IReadOnlyList<string> command)
    {
        Process process = _children.Start(
            name, _children.Folder, "dotnet",
            [s_program, .. command, "--name", name, "--data-dir", DirectoryOf(name), "--bind", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--json"]);
        using var limit = new CancellationTokenSource(Children.Patience);
        string? line = await process.StandardOutput.ReadLineAsync(limit.Token);
        if (line is null || JsonNode.Parse(line)!["event"]!.GetValue<string>() != "ready")
            throw new InvalidOperationException($"node {name} did not become ready: {line} {await File.ReadAllTextAsync(DirectoryOf(name) + ".log", limit.Token)}");
        // What follows is read so that the node never waits for a reader.
        _ = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
    }

    private async Task<string> CreateTicketAsync() =>
        JsonNode.Parse(await RunAsync("token", "create", "--role", "server", "--data-dir", DirectoryOf("a"), "--json"))!["ticket"]!.GetValue<string>();

    /// <summary>A member that has just joined is a learner for some seconds.</summary>
    private async Task UntilAllVoteAsync()
    {
        using var limit = new CancellationTokenSource(Children.Patience);
        using var client = new EtcdClient(ClientSockets[0], TimeProvider.System);
        while (await CountVotersAsync(client, limit.Token) < s_names.Length)
            await Task.Delay(200, limit.Token);
    }

    // While the membership changes the store may stand still for a moment, or end a connection.
    private static async Task<int> CountVotersAsync(EtcdClient client, CancellationToken cancellationToken)
    {
        try
        {
            return (await client.ListMembersAsync(cancellationToken: cancellationToken)).Count(member => !member.IsLearner);
        }
        catch (EtcdException e) when (e.IsUnavailable)
        {
            return 0;
        }
    }

    private static async Task<string> RunAsync(params IEnumerable<string> arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo("dotnet", [s_program, .. arguments]) { RedirectStandardOutput = true })!;
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"blixard ended with {process.ExitCode}: {output}");
    }
}
