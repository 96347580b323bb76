namespace Iroh.Quic.Driving;

/// <summary>
/// Lets any number of asynchronous callers wait for "something changed, look again". <see cref="Next"/> and
/// <see cref="Pulse"/> are called under one lock, so that no change falls between a look in vain and the wait.
/// </summary>
internal sealed class AsyncPulse
{
    private TaskCompletionSource? _waiters;

    /// <summary>Completes at the next pulse. Continuations run on the thread pool.</summary>
    public Task Next => (_waiters ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    /// <summary>Ends all waits; they then look again.</summary>
    public void Pulse()
    {
        _waiters?.TrySetResult();
        _waiters = null;
    }
}
