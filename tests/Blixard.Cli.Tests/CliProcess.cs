using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Blixard.Cli.Tests;

/// <summary>The blixard command as a process of its own, as a user or a script runs it.</summary>
internal sealed class CliProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Task<string> _errors;

    private CliProcess(Process process)
    {
        _process = process;
        _errors = process.StandardError.ReadToEndAsync();
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Starts the command.</summary>
    public static CliProcess Start(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "blixard.dll"), .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        return new CliProcess(Process.Start(start)!);
    }

    /// <summary>Runs the command to its end.</summary>
    public static async Task<CliResult> RunAsync(params string[] arguments)
    {
        await using CliProcess process = Start(arguments);
        process._process.StandardInput.Close();
        string output = await process._process.StandardOutput.ReadToEndAsync(Cancel);
        await process._process.WaitForExitAsync(Cancel);
        return new CliResult(process._process.ExitCode, output, await process._errors);
    }

    /// <summary>The next line of output as JSON.</summary>
    public async Task<JsonNode> ReadJsonAsync()
    {
        string? line = await _process.StandardOutput.ReadLineAsync(Cancel);
        return line is null ? throw new InvalidOperationException($"The command ended: {await _errors}") : JsonNode.Parse(line)!;
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

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
    }
}

/// <summary>How a command ended.</summary>
internal sealed record CliResult(int ExitCode, string Output, string Errors)
{
    /// <summary>The lines of output as JSON.</summary>
    public JsonNode[] Lines => [.. Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)];
}
