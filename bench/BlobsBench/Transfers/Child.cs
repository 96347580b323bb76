using System.Diagnostics;

namespace BlobsBench.Transfers;

/// <summary>A process that obeys lines. Ended with its input, or killed, by its id.</summary>
internal sealed class Child : IAsyncDisposable
{
    private readonly Process _process;

    private Child(Process process) => _process = process;

    /// <summary>What it printed first, behind the first word.</summary>
    public string Ready { get; private set; } = "";

    /// <summary>Starts a <see cref="BenchNode"/>.</summary>
    public static async Task<Child> NodeAsync(string directory, long? bytesPerSecond = null)
    {
        string[] arguments = [Environment.ProcessPath!, typeof(Child).Assembly.Location, "node", directory, .. bytesPerSecond is { } rate ? new[] { $"{rate}" } : []];
        Child child = Start(arguments, ".");
        child.Ready = (await child.ReadAsync()).Split(' ')[1];
        return child;
    }

    /// <summary>Starts a program that reads and writes lines.</summary>
    public static Child Start(string[] command, string folder)
    {
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        return new Child(Process.Start(start)!);
    }

    /// <summary>Sends a line and waits for the next one from it.</summary>
    public async Task<string> AskAsync(string line)
    {
        await _process.StandardInput.WriteLineAsync(line);
        await _process.StandardInput.FlushAsync();
        return await ReadAsync();
    }

    /// <summary>Ends it at once.</summary>
    public void Kill() => _process.Kill();

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        try
        {
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    private async Task<string> ReadAsync() =>
        await _process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("A process of the benchmark ended.");
}
