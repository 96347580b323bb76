using System.Diagnostics;

namespace Blixard.Testing.Namespaces;

/// <summary>Runs a system tool to its end.</summary>
internal static class LabCommand
{
    // ip and nft answer in milliseconds; a busy machine gets patience.
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    /// <summary>Runs a tool and returns what it printed.</summary>
    /// <param name="program">A name in PATH.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="input">What it reads on its standard input.</param>
    /// <exception cref="LabException">It failed; the message has what it said.</exception>
    public static async Task<string> RunAsync(string program, IReadOnlyList<string> arguments, string input = "")
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using Process process = Process.Start(start) ?? throw new LabException($"{program} could not be started");
        using var limit = new CancellationTokenSource(s_limit);
        try
        {
            await process.StandardInput.WriteAsync(input.AsMemory(), limit.Token).ConfigureAwait(false);
            process.StandardInput.Close();
            Task<string> errors = process.StandardError.ReadToEndAsync(limit.Token);
            string output = await process.StandardOutput.ReadToEndAsync(limit.Token).ConfigureAwait(false);
            await process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
            return process.ExitCode == 0
                ? output
                : throw new LabException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}: {(await errors.ConfigureAwait(false)).Trim()}");
        }
        catch (OperationCanceledException e)
        {
            process.Kill();
            throw new LabException($"{program} {string.Join(' ', arguments)} did not end within {s_limit.TotalSeconds:0} s", e);
        }
    }

    /// <summary>Whether a program of this name is in PATH.</summary>
    public static bool Exists(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => folder.Length > 0 && File.Exists(Path.Combine(folder, program)));
}

/// <summary>The lab could not do what it was asked for.</summary>
public sealed class LabException : Exception
{
    /// <summary>With a message.</summary>
    public LabException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
