using System.Diagnostics;

namespace Blixard.Cli.Tests;

/// <summary>How long anything is waited for: what takes a second on an idle machine, on one that has far too much to do.</summary>
internal static class Patience
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

    // Scripts of the build fetch and compress what a guest needs.
    private static readonly TimeSpan s_scriptLimit = TimeSpan.FromMinutes(10);

    /// <summary>For a call that begins now: cancelled when it takes far too long, or the run is ended.</summary>
    public static CancellationToken Token
    {
        get
        {
            // Not disposed: it goes with its timer.
            var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
            limit.CancelAfter(s_limit);
            return limit.Token;
        }
    }

    /// <summary>Runs a script to its end, which must be a good one.</summary>
    public static async Task RunScriptAsync(string path, string argument)
    {
        using Process script = Process.Start(new ProcessStartInfo(path, [argument]) { RedirectStandardError = true })!;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(s_scriptLimit);
        try
        {
            string said = await script.StandardError.ReadToEndAsync(limit.Token);
            await script.WaitForExitAsync(limit.Token);
            Assert.True(script.ExitCode == 0, $"{Path.GetFileName(path)} failed: {said}");
        }
        catch (OperationCanceledException)
        {
            script.Kill(entireProcessTree: true);
            Assert.Fail($"{Path.GetFileName(path)} did not end within {s_scriptLimit.TotalMinutes:0} minutes");
        }
    }
}
