namespace Blixard.Testing.Basics;

/// <summary>How long anything is waited for: what takes milliseconds on an idle machine, on one that has far too much to do.</summary>
public static class Patience
{
    /// <summary>For a whole test, in milliseconds, behind the limits of its waits: one that hangs is named, and the others go on.</summary>
    public const int Test = 180_000;

    /// <summary>For waits that say what they waited for.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    // Behind all other limits: whoever is ended by it has only a stack to show.
    private static readonly TimeSpan s_lastLimit = TimeSpan.FromMinutes(2);

    private static readonly TimeSpan s_lookInterval = TimeSpan.FromMilliseconds(20);

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

    /// <summary>Is cancelled after <see cref="Limit"/>. The caller's.</summary>
    public static CancellationTokenSource Start() => new(Limit);

    /// <summary>Waits for a task.</summary>
    public static async Task ForAsync(Task task, string what)
    {
        ArgumentNullException.ThrowIfNull(task);
        try
        {
            await task.WaitAsync(Limit, TestContext.Current.CancellationToken);
        }
        catch (TimeoutException) when (!task.IsCompleted)
        {
            Assert.Fail($"Waited {Limit.TotalSeconds:0} s for this: {what}");
        }
    }

    /// <summary>Waits for a task's result.</summary>
    public static async Task<T> ForAsync<T>(Task<T> task, string what)
    {
        await ForAsync((Task)task, what);
        return await task;
    }

    /// <summary>Looks at a condition again and again until it holds.</summary>
    /// <param name="condition">The condition.</param>
    /// <param name="otherwise">What to say when it does not come to hold.</param>
    public static async Task UntilAsync(Func<bool> condition, Func<string> otherwise)
    {
        ArgumentNullException.ThrowIfNull(condition);
        ArgumentNullException.ThrowIfNull(otherwise);
        using CancellationTokenSource limit = Start();
        while (!condition())
        {
            if (limit.IsCancellationRequested)
                Assert.Fail($"Not within {Limit.TotalSeconds:0} s: {otherwise()}");
            await Task.Delay(s_lookInterval, CancellationToken.None);
        }
    }

    /// <inheritdoc cref="UntilAsync(Func{bool}, Func{string})"/>
    public static Task UntilAsync(Func<bool> condition, string otherwise) => UntilAsync(condition, () => otherwise);

    /// <summary>Lets a clock of its own go on by a second again and again until a task has ended.</summary>
    public static async Task AdvanceUntilAsync(Task ended, ManualTimeProvider time, string what)
    {
        ArgumentNullException.ThrowIfNull(ended);
        ArgumentNullException.ThrowIfNull(time);
        using CancellationTokenSource limit = Start();
        while (!ended.IsCompleted)
        {
            Assert.False(limit.IsCancellationRequested, $"Waited {Limit.TotalSeconds:0} s for this: {what}");
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(ended, Task.Delay(1, TestContext.Current.CancellationToken));
        }
    }
}
