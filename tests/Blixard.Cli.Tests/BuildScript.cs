using System.Diagnostics;

namespace Blixard.Cli.Tests;

/// <summary>Runs scripts of the build, which fetch and compress what a guest needs.</summary>
internal static class BuildScript
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(10);

    /// <summary>Runs a script to its end, which must be a good one.</summary>
    public static async Task RunAsync(string path, string argument)
    {
        using Process script = Process.Start(new ProcessStartInfo(path, [argument]) { RedirectStandardError = true })!;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(s_limit);
        try
        {
            string said = await script.StandardError.ReadToEndAsync(limit.Token);
            await script.WaitForExitAsync(limit.Token);
            Assert.True(script.ExitCode == 0, $"{Path.GetFileName(path)} failed: {said}");
        }
        catch (OperationCanceledException)
        {
            script.Kill(entireProcessTree: true);
            Assert.Fail($"{Path.GetFileName(path)} did not end within {s_limit.TotalMinutes:0} minutes");
        }
    }
}
