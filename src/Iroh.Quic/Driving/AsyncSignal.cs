using System.Threading.Tasks.Sources;

namespace Iroh.Quic.Driving;

/// <summary>
/// Lets one asynchronous caller at a time wait for something that another thread signals, again and again without allocating.
/// </summary>
/// <remarks>
/// <code>
///           Arm               Signal, or the wait's cancellation
///   Idle ---------> Armed ------------------------------------------> Completed
///    ^                                                                    |
///    +--------------------- end of the await on WaitAsync ----------------+
/// </code>
/// <see cref="Arm"/> is called under the lock of whoever signals, after looking in vain for what is waited for: so no signal
/// falls between the look and the wait. Every arming is followed by one awaited <see cref="WaitAsync"/>. The signal says "look
/// again", not "it is there". Continuations run on the thread pool.
/// </remarks>
internal sealed class AsyncSignal : IValueTaskSource
{
    private const int Idle = 0, Armed = 1, Completed = 2;

    private ManualResetValueTaskSourceCore<bool> _source = new() { RunContinuationsAsynchronously = true };
    private CancellationTokenRegistration _registration;
    private int _state;

    /// <summary>From now on a <see cref="Signal"/> ends the wait that follows.</summary>
    public void Arm() => Volatile.Write(ref _state, Armed);

    /// <summary>Ends the wait, if somebody armed for one. Any thread, any number of times.</summary>
    public void Signal()
    {
        if (Volatile.Read(ref _state) == Armed && Interlocked.CompareExchange(ref _state, Completed, Armed) == Armed)
            _source.SetResult(true);
    }

    /// <summary>Completes at the signal, or fails with <see cref="OperationCanceledException"/>. To be awaited once.</summary>
    public ValueTask WaitAsync(CancellationToken cancellationToken)
    {
        short version = _source.Version;
        if (cancellationToken.CanBeCanceled)
        {
            _registration = cancellationToken.UnsafeRegister(
                static (signal, token) => ((AsyncSignal)signal!).Cancel(token), this);
        }

        return new ValueTask(this, version);
    }

    /// <inheritdoc/>
    void IValueTaskSource.GetResult(short token)
    {
        // Waits for a cancellation callback under way, so that it cannot hit the next wait.
        _registration.Dispose();
        _registration = default;
        try
        {
            _source.GetResult(token);
        }
        finally
        {
            _source.Reset();
            Volatile.Write(ref _state, Idle);
        }
    }

    /// <inheritdoc/>
    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _source.GetStatus(token);

    /// <inheritdoc/>
    void IValueTaskSource.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);

    private void Cancel(CancellationToken token)
    {
        if (Interlocked.CompareExchange(ref _state, Completed, Armed) == Armed)
            _source.SetException(new OperationCanceledException(token));
    }
}
