using System.Diagnostics;

namespace Blixard.Containers.Tests;

/// <summary>Programs that judge what was made.</summary>
internal static class Tool
{
    public static async Task<(int ExitCode, string Output)> RunAsync(string program, params string[] arguments)
    {
        string path = File.Exists("/usr/sbin/" + program) ? "/usr/sbin/" + program : "/sbin/" + program;
        var start = new ProcessStartInfo(path, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output + await error);
    }

    /// <summary>Has e2fsck find fault with a file system.</summary>
    public static async Task CheckDiskAsync(string disk)
    {
        (int exitCode, string output) = await RunAsync("e2fsck", "-fn", disk);
        Assert.True(exitCode == 0, $"e2fsck is not content (exit code {exitCode}):\n{output}");
    }
}
