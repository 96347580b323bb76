using System.Diagnostics;
using System.Text.Json.Nodes;
using Blixard.Testing.Basics;

namespace Blixard.Cli.Tests.Cluster;

/// <summary>Nodes that the command runs on this machine, each with a data directory of its own in one temporary folder.</summary>
internal sealed class CliCluster : IAsyncDisposable
{
    /// <summary>For everything that a person would wait for; generous, because the machine may be busy.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan s_pollInterval = TimeSpan.FromMilliseconds(50);

    private readonly Dictionary<string, CliProcess> _nodes = [];

    public string Folder { get; } = Directory.CreateTempSubdirectory("blixard-cli-").FullName;

    private static CancellationToken Cancel => Patience.Token;

    public string DirectoryOf(string node) => Path.Combine(Folder, node);

    /// <summary>The process of a node that was started.</summary>
    public CliProcess Process(string node) => _nodes[node];

    /// <summary>Starts a node by <c>up</c>, or by <c>join TICKET</c>, and returns its ready event.</summary>
    public async Task<JsonNode> StartAsync(string node, params string[] command)
    {
        CliProcess process = CliProcess.Start(
            [.. command, "--name", node, "--data-dir", DirectoryOf(node), "--bind", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--json"]);
        if (_nodes.Remove(node, out CliProcess? former))
            await former.DisposeAsync();
        _nodes[node] = process;
        JsonNode ready = await process.ReadJsonAsync();
        Assert.Equal("ready", ready["event"]!.GetValue<string>());
        return ready;
    }

    /// <summary>A fresh join ticket of a node.</summary>
    public async Task<string> CreateTicketAsync(string node, params string[] options) =>
        (await JsonAsync(node, ["token", "create", .. options]))["ticket"]!.GetValue<string>();

    /// <summary>Runs a command against a node.</summary>
    public Task<CliResult> RunAsync(string node, params string[] command) => CliProcess.RunAsync([.. command, "--data-dir", DirectoryOf(node)]);

    /// <summary>Runs a command against a node with <c>--json</c>; it must end with 0 and one line.</summary>
    public async Task<JsonNode> JsonAsync(string node, params string[] command)
    {
        CliResult result = await RunAsync(node, [.. command, "--json"]);
        Assert.True(result.ExitCode == 0, $"{string.Join(' ', command)} ended with {result.ExitCode}: {result.Errors}");
        return Assert.Single(result.Lines);
    }

    /// <summary>Asks a node for its status until it is as wanted.</summary>
    public Task<JsonNode> UntilStatusAsync(string node, Func<JsonNode, bool> condition, string what) => UntilAsync(node, ["status"], condition, what);

    /// <summary>Runs a command until what it prints is as wanted.</summary>
    public async Task<JsonNode> UntilAsync(string node, string[] command, Func<JsonNode, bool> condition, string what)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            JsonNode seen = await JsonAsync(node, command);
            if (condition(seen))
                return seen;
            Assert.True(Stopwatch.GetElapsedTime(start) < Limit, $"{node} did not see within {Limit.TotalSeconds} s: {what}. It sees {seen}");
            await Task.Delay(s_pollInterval, Cancel);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (CliProcess node in _nodes.Values)
            await node.DisposeAsync();
        // VMs outlive their nodes. What names our folder on its command line is ours.
        foreach (string process in Directory.EnumerateDirectories("/proc").Where(path => char.IsAsciiDigit(Path.GetFileName(path)[0]) && IsOurs(path)))
            KillVm(int.Parse(Path.GetFileName(process)));
        Directory.Delete(Folder, recursive: true);
    }

    private bool IsOurs(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline")).Contains(Folder, StringComparison.Ordinal);
        }
        catch (IOException)
        {
            // It ended while we looked.
            return false;
        }
    }

    private static void KillVm(int id)
    {
        try
        {
            using var process = System.Diagnostics.Process.GetProcessById(id);
            process.Kill();
            process.WaitForExit();
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            // It ended by itself.
        }
    }
}
