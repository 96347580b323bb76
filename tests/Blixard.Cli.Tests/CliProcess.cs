using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Blixard.Cli.Tests;

/// <summary>The blixard command as a process of its own, as a user or a script runs it.</summary>
internal sealed class CliProcess : IAsyncDisposable
{
    // No command of a test takes this long; one that hangs fails its test with its name instead of holding up all others.
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(3);

    private readonly Process _process;
    private readonly Task<string> _errors;
    private readonly CancellationTokenSource _patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);

    private CliProcess(Process process)
    {
        _process = process;
        _errors = process.StandardError.ReadToEndAsync();
        _patience.CancelAfter(s_limit);
    }

    private CancellationToken Cancel => _patience.Token;

    /// <summary>The process.</summary>
    public int Id => _process.Id;

    /// <summary>Whether the command has ended.</summary>
    public bool HasEnded => _process.HasExited;

    /// <summary>Starts the command.</summary>
    public static CliProcess Start(params string[] arguments) => StartIn(Path.GetTempPath(), arguments);

    /// <summary>Starts the command with a folder of its own for temporary files.</summary>
    public static CliProcess StartIn(string temporaryFolder, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "blixard.dll"), .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["TMPDIR"] = temporaryFolder },
        };
        return new CliProcess(Process.Start(start)!);
    }

    /// <summary>Runs the command to its end.</summary>
    public static async Task<CliResult> RunAsync(params string[] arguments)
    {
        await using CliProcess process = Start(arguments);
        process._process.StandardInput.Close();
        return await process.WaitAsync();
    }

    /// <summary>The next line of output as JSON.</summary>
    public async Task<JsonNode> ReadJsonAsync()
    {
        string? line = await WithinAsync(cancel => _process.StandardOutput.ReadLineAsync(cancel).AsTask());
        return line is null ? throw new InvalidOperationException($"The command ended: {await WithinAsync(_errors.WaitAsync)}") : JsonNode.Parse(line)!;
    }

    /// <summary>The next line with this event.</summary>
    public async Task<JsonNode> ReadEventAsync(string name)
    {
        while (true)
        {
            JsonNode line = await ReadJsonAsync();
            if (line["event"]!.GetValue<string>() == name)
                return line;
        }
    }

    /// <summary>SIGKILL, and waits for the end.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await EndedAsync();
    }

    /// <summary>Sends a signal, such as "INT" for Ctrl-C, and waits for the end.</summary>
    public async Task<CliResult> EndAsync(string signal)
    {
        using Process kill = Process.Start("kill", ["-s", signal, $"{Id}"]);
        await kill.WaitForExitAsync(Cancel);
        return await WaitAsync();
    }

    /// <summary>Waits until the command ends by itself; the result has the output that was not read before.</summary>
    public async Task<CliResult> WaitAsync()
    {
        string output = await WithinAsync(_process.StandardOutput.ReadToEndAsync);
        string errors = await WithinAsync(_errors.WaitAsync);
        await EndedAsync();
        return new CliResult(_process.ExitCode, output, errors);
    }

    /// <summary>Types into the command.</summary>
    public async Task TypeAsync(string text)
    {
        await _process.StandardInput.WriteAsync(text);
        await _process.StandardInput.FlushAsync(Cancel);
    }

    /// <summary>Reads output up to a line that contains a text, and returns the line.</summary>
    public async Task<string> ReadUntilAsync(string text)
    {
        while (await WithinAsync(cancel => _process.StandardOutput.ReadLineAsync(cancel).AsTask()) is { } line)
        {
            if (line.Contains(text, StringComparison.Ordinal))
                return line;
        }

        throw new InvalidOperationException($"The command ended before it said '{text}': {await WithinAsync(_errors.WaitAsync)}");
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync(CancellationToken.None).WaitAsync(s_limit);
        _process.Dispose();
        _patience.Dispose();
    }

    private Task EndedAsync() => WithinAsync(async cancel =>
    {
        await _process.WaitForExitAsync(cancel);
        return true;
    });

    private async Task<T> WithinAsync<T>(Func<CancellationToken, Task<T>> read)
    {
        try
        {
            return await read(Cancel);
        }
        catch (OperationCanceledException) when (!TestContext.Current.CancellationToken.IsCancellationRequested)
        {
            _process.Kill(entireProcessTree: true);
            throw new TimeoutException(
                $"The command was not done after {s_limit.TotalMinutes:0} minutes: {string.Join(' ', _process.StartInfo.ArgumentList.Skip(1))}\n{(_errors.IsCompletedSuccessfully ? _errors.Result : "")}");
        }
    }
}

/// <summary>How a command ended.</summary>
internal sealed record CliResult(int ExitCode, string Output, string Errors)
{
    /// <summary>The lines of output as JSON.</summary>
    public JsonNode[] Lines => [.. Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)];
}
