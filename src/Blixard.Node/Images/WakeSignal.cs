namespace Blixard.Node.Images;

/// <summary>Wakes a loop that waits for something to do: once, however often it was woken while it worked. One waits at a time; waking is thread-safe.</summary>
internal sealed class WakeSignal
{
    private TaskCompletionSource _due = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>A signal that is given already, so that the loop begins with a look.</summary>
    public WakeSignal() => _due.SetResult();

    /// <summary>Wakes the loop, now or when it waits again.</summary>
    public void Wake()
    {
        // What the caller has changed is seen by whoever no longer sees this signal.
        Interlocked.MemoryBarrier();
        Volatile.Read(ref _due).TrySetResult();
    }

    /// <summary>Returns when it was woken, or after a time without.</summary>
    public async Task WaitAsync(TimeSpan atMost, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            await _due.Task.WaitAsync(atMost, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // A look without a reason.
        }

        // Whoever wakes the former one from here on has changed before what is looked at after this.
        Interlocked.Exchange(ref _due, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
    }
}
