using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Blixard.Testing.Basics;

/// <summary>
/// Real iroh endpoints (Rust, through npm packages) in a process of their own, driven by JSON lines: see the peer.mjs of
/// tests/Iroh.Tests/iroh-peer (1.0: endpoints) and tests/Iroh.Blobs.Tests/iroh-peer (0.35, the last package that has them: blobs and documents).
/// Requests may overlap; each waits for its own reply.
/// </summary>
public sealed class IrohPeer : IAsyncDisposable
{
    // What is asked for takes a moment, or as long as the rest of a test that waits for something itself: this is behind its limits.
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

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

    /// <summary>Where the peer with endpoints is installed.</summary>
    /// <exception cref="InvalidOperationException">It is not; <c>./test</c> installs it.</exception>
    public static string Folder => FolderIn("Iroh.Tests");

    /// <summary>Starts the process with endpoints.</summary>
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

    /// <summary>Starts the process with blobs and documents.</summary>
    /// <exception cref="InvalidOperationException">The peer is not installed; <c>./test</c> installs it.</exception>
    public static IrohPeer StartWithBlobs() => Start(folder: FolderIn("Iroh.Blobs.Tests"));

    /// <summary>Sends one request and waits for its result.</summary>
    /// <exception cref="IrohPeerException">The peer answered with an error.</exception>
    /// <exception cref="TimeoutException">It did not answer within two minutes.</exception>
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

        try
        {
            return await reply.Task.WaitAsync(s_limit, cancellationToken);
        }
        catch (TimeoutException) when (!reply.Task.IsCompleted)
        {
            throw new TimeoutException($"The real iroh did not answer within {s_limit.TotalSeconds:0} s: {request.ToJsonString()}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        using (var limit = new CancellationTokenSource(s_limit))
        {
            try
            {
                await _process.WaitForExitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                _process.Kill();
                throw new TimeoutException($"The real iroh did not end within {s_limit.TotalSeconds:0} s after it was told to.");
            }
        }

        await _reader.WaitAsync(s_limit);
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

    private static string FolderIn(string project)
    {
        string folder = Path.Combine(RepositoryRoot(), "tests", project, "iroh-peer");
        return Directory.Exists(Path.Combine(folder, "node_modules", "@number0", "iroh"))
            ? folder
            : throw new InvalidOperationException($"The real iroh is not installed in {folder}: run ./test, or npm install there.");
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
public sealed class IrohPeerException(string message) : Exception(message);
