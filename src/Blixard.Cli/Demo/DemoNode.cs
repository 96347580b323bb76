using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Blixard.Cli.Local;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Grpc;
using Blixard.V1;

namespace Blixard.Cli.Demo;

/// <summary>One node of the demo: a process of this program with a data directory of its own.</summary>
internal sealed class DemoNode : IAsyncDisposable
{
    private static readonly TimeSpan s_stopLimit = TimeSpan.FromSeconds(10);

    private readonly Process _process;
    private readonly Task _draining;
    private readonly ConcurrentQueue<string> _events;

    private DemoNode(string name, string directory, Process process, JsonNode ready, ConcurrentQueue<string> events, Task draining)
    {
        (Name, Directory, _process, Ready, _events, _draining) = (name, directory, process, ready, events, draining);
        ProcessId = process.Id;
        Api = LocalNode.Open(directory);
    }

    public string Name { get; }

    public string Directory { get; }

    /// <summary>The node's first line.</summary>
    public JsonNode Ready { get; }

    /// <summary>Calls of its local API.</summary>
    public GrpcCaller Api { get; }

    /// <summary>The process.</summary>
    public int ProcessId { get; }

    /// <summary>Whether the process may end: it was told to.</summary>
    public bool MayEnd { get; set; }

    /// <summary>How the process ended, for people.</summary>
    public string End => Describe(_process.ExitCode);

    /// <summary>What it told after its first line, oldest first.</summary>
    public IEnumerable<JsonNode> Events => _events.Select(line => JsonNode.Parse(line)!);

    /// <summary>Starts the process and waits until the node serves.</summary>
    public static async Task<DemoNode> StartAsync(string folder, string name, string[] command, DemoPlace place, CancellationToken cancellationToken)
    {
        string directory = Path.Combine(folder, name);
        string logPath = Path.Combine(folder, $"{name}.log");
        ProcessStartInfo start = SelfProcess.Create(
            [.. command, "--name", name, "--data-dir", directory, "--bind", place.P2p, "--grpc", place.Grpc, "--json", "--verbose", .. place.Options]);
        if (place.Namespace is { } networkNamespace)
            start = DemoInternet.In(networkNamespace, start);
        foreach ((string variable, string value) in place.Variables)
            start.Environment[variable] = value;
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task errors = CopyAsync(process.StandardError, logPath, _ => { });
        string? line = null;
        try
        {
            line = await process.StandardOutput.ReadLineAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            // Nobody else knows of a process that is not ready yet.
            if (line is null && !process.HasExited)
                process.Kill();
        }

        if (line is null)
        {
            await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
            await errors.ConfigureAwait(false);
            string log = (await File.ReadAllTextAsync(logPath, cancellationToken).ConfigureAwait(false)).Trim();
            throw new CommandException(ExitCode.Failed, $"node {name} ended before it was ready ({Describe(process.ExitCode)}){(log.Length > 0 ? ": " : "")}{log}");
        }

        var told = new ConcurrentQueue<string>();
        Task events = CopyAsync(process.StandardOutput, Path.Combine(folder, $"{name}.events"), told.Enqueue);
        return new DemoNode(name, directory, process, JsonNode.Parse(line)!, told, Task.WhenAll(errors, events));
    }

    /// <summary>The cluster as this node sees it.</summary>
    public Task<StatusResponse> StatusAsync(CancellationToken cancellationToken) =>
        Api.CallAsync(ClusterMethods.Status, new StatusRequest(), null, cancellationToken);

    /// <summary>Kills the process.</summary>
    public void Kill()
    {
        MayEnd = true;
        _process.Kill();
    }

    /// <summary>Waits for the process to end by itself.</summary>
    public Task WaitAsync(CancellationToken cancellationToken) => _process.WaitForExitAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        MayEnd = true;
        if (!_process.HasExited)
        {
            try
            {
                await Api.CallAsync(LocalMethods.Shutdown, new ShutdownRequest(), new RpcCallOptions { Timeout = s_stopLimit }, default).ConfigureAwait(false);
            }
            catch (RpcException)
            {
            }

            using var limit = new CancellationTokenSource(s_stopLimit);
            try
            {
                await _process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                _process.Kill(entireProcessTree: true);
            }
        }

        await _process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        await _draining.ConfigureAwait(false);
        Api.Dispose();
        _process.Dispose();
    }

    // .NET tells 128 + N for a process that signal N ended.
    private static string Describe(int exitCode) => exitCode > 128 ? $"ended by signal {exitCode - 128}" : $"exit code {exitCode}";

    private static async Task CopyAsync(StreamReader reader, string path, Action<string> onLine)
    {
        await using var file = new StreamWriter(path);
        while (await reader.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            onLine(line);
            await file.WriteLineAsync(line).ConfigureAwait(false);
        }
    }
}
