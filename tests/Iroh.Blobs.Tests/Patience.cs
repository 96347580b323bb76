namespace Iroh.Blobs.Tests;

/// <summary>How long anything is waited for: what takes milliseconds on an idle machine, on one that has far too much to do.</summary>
internal static class Patience
{
    /// <summary>For waits that say what they waited for.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    // Behind all other limits: whoever is ended by it has only a stack to show.
    private static readonly TimeSpan s_lastLimit = TimeSpan.FromMinutes(2);

    /// <summary>For a call that begins now: cancelled when it takes far too long, or the run is ended.</summary>
    public static CancellationToken Token
    {
        get
        {
            // Not disposed: it goes with its timer.
            var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
            limit.CancelAfter(s_lastLimit);
            return limit.Token;
        }
    }

    /// <summary>Waits for a task.</summary>
    public static async Task ForAsync(Task task, string what)
    {
        try
        {
            await task.WaitAsync(Limit, TestContext.Current.CancellationToken);
        }
        catch (TimeoutException) when (!task.IsCompleted)
        {
            Assert.Fail($"Waited {Limit.TotalSeconds:0} s for this: {what}");
        }
    }

    /// <summary>Lets a clock of its own go on by a second again and again until a task has ended.</summary>
    public static async Task AdvanceUntilAsync(Task ended, Blixard.Testing.Basics.ManualTimeProvider time, string what)
    {
        using var limit = new CancellationTokenSource(Limit);
        while (!ended.IsCompleted)
        {
            Assert.False(limit.IsCancellationRequested, $"Waited {Limit.TotalSeconds:0} s for this: {what}");
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(ended, Task.Delay(1, TestContext.Current.CancellationToken));
        }
    }
}
