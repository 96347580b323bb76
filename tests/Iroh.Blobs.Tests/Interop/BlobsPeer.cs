using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Iroh.Blobs.Tests.Interop;

/// <summary>
/// Real iroh-blobs nodes (Rust, 0.35, through the npm package) in a process of their own, driven by JSON lines: see iroh-peer/peer.mjs.
/// Requests may overlap; each waits for its own reply.
/// </summary>
internal sealed class BlobsPeer : IAsyncDisposable
{
    // What a node of theirs takes a second for, on a machine that has far too much to do.
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly Task _reader;
    private readonly ConcurrentDictionary<int, TaskCompletionSource<JsonNode>> _pending = new();
    private readonly SemaphoreSlim _writing = new(1, 1);
    private int _nextId;

    private BlobsPeer(Process process)
    {
        _process = process;
        _reader = ReadRepliesAsync();
    }

    /// <summary>Starts the process.</summary>
    /// <exception cref="InvalidOperationException">The peer is not installed; <c>./test</c> installs it.</exception>
    public static BlobsPeer Start()
    {
        string folder = Path.Combine(RepositoryRoot(), "tests", "Iroh.Blobs.Tests", "iroh-peer");
        if (!Directory.Exists(Path.Combine(folder, "node_modules", "@number0", "iroh")))
            throw new InvalidOperationException($"The real iroh-blobs is not installed in {folder}: run ./test, or npm install there.");
        return new BlobsPeer(Process.Start(new ProcessStartInfo("node", "peer.mjs")
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!);
    }

    /// <summary>Sends one request and waits for its result.</summary>
    /// <exception cref="BlobsPeerException">The peer answered with an error.</exception>
    public async Task<JsonNode> CallAsync(string op, object arguments, CancellationToken cancellationToken)
    {
        int id = Interlocked.Increment(ref _nextId);
        var request = (JsonObject)JsonSerializer.SerializeToNode(arguments)!;
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
            throw new TimeoutException($"The real iroh-blobs did not answer within {s_limit.TotalSeconds:0} s: {request.ToJsonString()}");
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
                throw new TimeoutException($"The real iroh-blobs did not end within {s_limit.TotalSeconds:0} s after it was told to.");
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
                reply.SetException(new BlobsPeerException(error.GetValue<string>()));
            else
                reply.SetResult(message["result"] ?? new JsonObject());
        }

        foreach (TaskCompletionSource<JsonNode> reply in _pending.Values)
            reply.TrySetException(new BlobsPeerException("the peer's process ended"));
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

/// <summary>What the real iroh-blobs said when an operation failed, its causes on one line.</summary>
internal sealed class BlobsPeerException(string message) : Exception(message);
