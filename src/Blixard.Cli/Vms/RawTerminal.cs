using System.Diagnostics;

namespace Blixard.Cli.Vms;

/// <summary>
/// Gives every key to the program as it is typed, without echo, until disposed; then the terminal is as it was. Does nothing if
/// the input is no terminal.
/// </summary>
internal sealed class RawTerminal : IDisposable
{
    private readonly string? _saved;

    public RawTerminal()
    {
        if (Console.IsInputRedirected || OperatingSystem.IsWindows())
            return;
        _saved = RunStty("-g").Trim();
        RunStty("raw -echo");
    }

    public void Dispose()
    {
        if (_saved is { Length: > 0 })
            RunStty(_saved);
    }

    // The terminal is the one that this process has inherited, and so does stty.
    private static string RunStty(string arguments)
    {
        var start = new ProcessStartInfo("stty", arguments) { RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output;
    }
}
