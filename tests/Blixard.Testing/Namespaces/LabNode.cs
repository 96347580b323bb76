using System.Diagnostics;
using System.Text.Json.Nodes;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Grpc;
using Blixard.V1;
using Google.Protobuf;

namespace Blixard.Testing.Namespaces;

/// <summary>A real <c>blixard</c> process on a machine of a <see cref="NetworkLab"/>, with a data directory that outlives it. One owner.</summary>
public sealed class LabNode : IAsyncDisposable
{
    /// <summary>How long a node may take to serve, to end, and to show what is waited for: far more than it needs on a busy machine.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan s_pollInterval = TimeSpan.FromMilliseconds(50);

    private readonly string _program;
    private readonly IReadOnlyList<string> _options;
    private readonly GrpcCaller _api;
    private Process? _process;
    private LabNodeOutput _output = new();
    private Task _reading = Task.CompletedTask;

    /// <summary>A node that is not started.</summary>
    /// <param name="host">Where it runs; its name is the node's.</param>
    /// <param name="directory">Its data directory.</param>
    /// <param name="program">The path of blixard.dll.</param>
    /// <param name="options">Options for every start beside name, directory and addresses.</param>
    public LabNode(LabHost host, string directory, string program, params IReadOnlyList<string> options)
    {
        (Host, Directory, _program, _options) = (host, directory, program, options);
        _api = new GrpcCaller(new GrpcCallerOptions { UnixSocketPath = Path.Combine(directory, "api.sock") }, TimeProvider.System);
    }

    /// <summary>The machine.</summary>
    public LabHost Host { get; }

    /// <summary>The node's name: that of its machine.</summary>
    public string Name => Host.Name;

    /// <summary>The data directory.</summary>
    public string Directory { get; }

    /// <summary>The local API, on the socket in the data directory: it works whatever happens to the network, and again after a restart.</summary>
    public IRpcCaller Api => _api;

    /// <summary>Whether the process is there.</summary>
    public bool IsRunning => _process is { HasExited: false };

    /// <summary>What it told since its start, oldest first.</summary>
    public IReadOnlyList<LabEvent> Events => _output.Events;

    /// <summary>Variables that the next start adds to the environment.</summary>
    public IDictionary<string, string> Environment { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The last lines of what it printed since its start.</summary>
    public string Tail => $"--- {Name} printed:\n{_output.Tail}";

    /// <summary>Runs <c>up</c> or <c>join TICKET</c> with further options and returns its ready event.</summary>
    /// <exception cref="LabException">It ended, or was not ready in time; the message has what it printed.</exception>
    public async Task<JsonNode> StartAsync(params IReadOnlyList<string> command)
    {
        if (IsRunning)
            throw new LabException($"{Name} runs already");
        await ForgetAsync().ConfigureAwait(false);
        ProcessStartInfo start = Host.Command(
            "dotnet",
            [
                _program, .. command, "--name", Name, "--data-dir", Directory, "--bind", $"{Host.Address}:0", "--grpc", $"{Host.Address}:0", "--json",
                .. _options,
            ]);
        (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
        foreach ((string name, string value) in Environment)
            start.Environment[name] = value;
        _process = Process.Start(start) ?? throw new LabException($"{Name} could not be started");
        _output = new LabNodeOutput();
        _reading = _output.ReadAsync(_process.StandardOutput, _process.StandardError);
        return await UntilEventAsync(item => item["event"]!.GetValue<string>() == "ready", "ready").ConfigureAwait(false);
    }

    /// <summary>Starts a node that belongs to a cluster again, on its directory.</summary>
    public Task<JsonNode> RestartAsync() => StartAsync("up");

    /// <summary>The first event since the start that a condition holds for.</summary>
    public async Task<JsonNode> UntilEventAsync(Func<JsonNode, bool> condition, string what)
    {
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            return (await _output.UntilAsync(seen => seen.Item.ContainsKey("event") && condition(seen.Item), limit.Token).ConfigureAwait(false))?.Item
                ?? throw new LabException($"{Name} ended before this event: {what}\n{Tail}");
        }
        catch (OperationCanceledException e)
        {
            throw new LabException($"{Name} did not tell within {Patience.TotalSeconds:0} s: {what}\n{Tail}", e);
        }
    }

    /// <summary>Calls the local API.</summary>
    public Task<TResponse> CallAsync<TRequest, TResponse>(RpcMethod<TRequest, TResponse> method, TRequest request)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new() =>
        Api.CallAsync(method, request, RpcCallOptions.Within(Patience));

    /// <summary>A ticket for one more node.</summary>
    public async Task<string> CreateTicketAsync(NodeRole role) =>
        (await CallAsync(ClusterMethods.CreateToken, new CreateTokenRequest { Role = role }).ConfigureAwait(false)).Ticket;

    /// <summary>Asks for the status until it is as wanted.</summary>
    /// <exception cref="LabException">It was not in time; the message has what was seen last.</exception>
    public async Task<StatusResponse> UntilStatusAsync(Func<StatusResponse, bool> condition, string what)
    {
        long start = Stopwatch.GetTimestamp();
        string seen = "nothing";
        while (Stopwatch.GetElapsedTime(start) < Patience)
        {
            try
            {
                StatusResponse status = await Api.CallAsync(ClusterMethods.Status, new StatusRequest(), RpcCallOptions.Within(Patience)).ConfigureAwait(false);
                if (condition(status))
                    return status;
                seen = status.ToString();
            }
            catch (RpcException e)
            {
                // A node that starts or is overwhelmed: its status is asked for again.
                seen = e.Message;
            }

            await Task.Delay(s_pollInterval).ConfigureAwait(false);
        }

        throw new LabException($"{Name} did not see within {Patience.TotalSeconds:0} s: {what}. It sees {seen}\n{Tail}");
    }

    /// <summary>SIGKILL for the node's process alone: what it started, VMs and etcd, is left as it is.</summary>
    public async Task KillAsync()
    {
        Signal(LabSignal.Kill);
        await WaitForEndAsync().ConfigureAwait(false);
    }

    /// <summary>SIGKILL for everything on the machine, as if its power failed.</summary>
    public async Task CrashAsync()
    {
        await Host.KillAllAsync().ConfigureAwait(false);
        await WaitForEndAsync().ConfigureAwait(false);
    }

    /// <summary>SIGTERM; the exit code.</summary>
    public async Task<int> StopAsync()
    {
        Signal(LabSignal.Terminate);
        await WaitForEndAsync().ConfigureAwait(false);
        return _process!.ExitCode;
    }

    /// <summary>SIGSTOP: the process stands still, its connections stay.</summary>
    public void Pause() => Signal(LabSignal.Stop);

    /// <summary>SIGCONT.</summary>
    public void Resume() => Signal(LabSignal.Continue);

    /// <summary>The id of the etcd that the node runs; null if it runs none at the moment.</summary>
    public int? FindEtcd() => _process is { HasExited: false } process && LabProcess.Children(process.Id, "etcd") is [int id, ..] ? id : null;

    /// <summary>SIGKILL for the node's etcd alone.</summary>
    /// <exception cref="LabException">It runs none.</exception>
    public void KillEtcd() => LabProcess.Signal(FindEtcd() ?? throw new LabException($"{Name} runs no etcd\n{Tail}"), LabSignal.Kill);

    /// <summary>Waits until the process has ended.</summary>
    /// <exception cref="LabException">It does not.</exception>
    public async Task WaitForEndAsync()
    {
        if (_process is not { } process)
            return;
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            await process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e)
        {
            throw new LabException($"{Name} does not end\n{Tail}", e);
        }
    }

    /// <summary>Kills the process. Its directory stays.</summary>
    public async ValueTask DisposeAsync()
    {
        if (IsRunning)
            await KillAsync().ConfigureAwait(false);
        await ForgetAsync().ConfigureAwait(false);
        _api.Dispose();
    }

    private void Signal(LabSignal signal) =>
        LabProcess.Signal((_process ?? throw new LabException($"{Name} was not started")).Id, signal);

    private async Task ForgetAsync()
    {
        if (_process is not { } former)
            return;
        // An orphan of the former process may hold its output open; what it still writes is nobody's concern.
        await Task.WhenAny(_reading, Task.Delay(s_pollInterval)).ConfigureAwait(false);
        former.Dispose();
        _process = null;
    }
}
