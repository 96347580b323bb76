using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Iroh.Tests.Interop;

/// <summary>
/// A real iroh endpoint (Rust, through its npm package) in a process of its own, driven by JSON lines: see iroh-peer/peer.mjs.
/// Requests may overlap; each waits for its own reply.
/// </summary>
internal sealed class IrohPeer : IAsyncDisposable
{
    // It takes a moment; this is for machines that have far too much to do.
    private static readonly TimeSpan s_endLimit = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly Task _reader;
    private readonly ConcurrentDictionary<int, TaskCompletionSource<JsonNode>> _pending = new();
    private readonly SemaphoreSlim _writing = new(1, 1);
    private int _nextId;

    private IrohPeer(Process process)
    {
        _process = process;
        _reader = ReadRepliesAsync();
    }

    /// <summary>Where the peer is installed.</summary>
    /// <exception cref="InvalidOperationException">It is not; <c>./test</c> installs it.</exception>
    public static string Folder
    {
        get
        {
            string folder = Path.Combine(RepositoryRoot(), "tests", "Iroh.Tests", "iroh-peer");
            return Directory.Exists(Path.Combine(folder, "node_modules", "@number0", "iroh"))
                ? folder
                : throw new InvalidOperationException($"The real iroh is not installed in {folder}: run ./test, or npm install there.");
        }
    }

    /// <summary>Starts the process.</summary>
    /// <param name="command">Says how a program is started with arguments; by default as usual, else for example in a network namespace.</param>
    /// <param name="folder">A copy of <see cref="Folder"/>; null for that itself.</param>
    /// <exception cref="InvalidOperationException">The peer is not installed; <c>./test</c> installs it.</exception>
    public static IrohPeer Start(Func<string, string[], ProcessStartInfo>? command = null, string? folder = null)
    {
        ProcessStartInfo start = command is null ? new ProcessStartInfo("node", "peer.mjs") : command("node", ["peer.mjs"]);
        start.WorkingDirectory = folder ?? Folder;
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        return new IrohPeer(Process.Start(start)!);
    }

    /// <summary>Sends one request and waits for its result.</summary>
    /// <exception cref="IrohPeerException">The peer answered with an error.</exception>
    public async Task<JsonNode> CallAsync(string op, object? arguments, CancellationToken cancellationToken)
    {
        int id = Interlocked.Increment(ref _nextId);
        var request = (JsonObject)(JsonSerializer.SerializeToNode(arguments) ?? new JsonObject());
        request["id"] = id;
        request["op"] = op;
        var reply = new TaskCompletionSource<JsonNode>(TaskCreationOptions.RunContinuationsAsynchronously);
        _pending[id] = reply;
        await _writing.WaitAsync(cancellationToken);
        try
        {
            await _process.StandardInput.WriteLineAsync(request.ToJsonString());
            await _process.StandardInput.FlushAsync(cancellationToken);
        }
        finally
        {
            _writing.Release();
        }

        return await reply.Task.WaitAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        using (var limit = new CancellationTokenSource(s_endLimit))
        {
            try
            {
                await _process.WaitForExitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                _process.Kill();
                throw new TimeoutException($"The real iroh did not end within {s_endLimit.TotalSeconds:0} s after it was told to.");
            }
        }

        await _reader.WaitAsync(s_endLimit);
        _process.Dispose();
        _writing.Dispose();
    }

    private async Task ReadRepliesAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            JsonNode message = JsonNode.Parse(line)!;
            if (!_pending.TryRemove(message["id"]!.GetValue<int>(), out TaskCompletionSource<JsonNode>? reply))
                continue;
            if (message["error"] is { } error)
                reply.SetException(new IrohPeerException(error.GetValue<string>()));
            else
                reply.SetResult(message["result"] ?? new JsonObject());
        }

        foreach (TaskCompletionSource<JsonNode> reply in _pending.Values)
            reply.TrySetException(new IrohPeerException("the peer's process ended"));
    }

    private static string RepositoryRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Blixard.slnx")))
                return folder.FullName;
        }

        throw new InvalidOperationException("The tests run outside their repository.");
    }
}

/// <summary>What the real iroh said when an operation failed, its causes on one line.</summary>
internal sealed class IrohPeerException(string message) : Exception(message);
