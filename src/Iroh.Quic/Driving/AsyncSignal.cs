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
/// again", not "it is there". Continuations run on the thread pool; or, if <see cref="RunsInline"/> says so and a receive thread
/// signals, on that thread, after it has let go of its locks (<see cref="RunDeferred"/>).
/// </remarks>
internal sealed class AsyncSignal : IValueTaskSource, IThreadPoolWorkItem
{
    private const int Idle = 0, Armed = 1, Completed = 2;

    // What was signalled on this thread under locks, to be continued after them; null on threads that do not continue anything.
    [ThreadStatic]
    private static List<AsyncSignal>? t_deferred;

    private ManualResetValueTaskSourceCore<bool> _source = new() { RunContinuationsAsynchronously = true };
    private CancellationTokenRegistration _registration;
    private int _state;

    /// <summary>Whether continuations may run on a receive thread. To be set while nobody waits.</summary>
    public bool RunsInline
    {
        get => !_source.RunContinuationsAsynchronously;
        set => _source.RunContinuationsAsynchronously = !value;
    }

    /// <summary>This thread calls <see cref="RunDeferred"/> after each turn from now on.</summary>
    public static void DeferOnThisThread() => t_deferred = new List<AsyncSignal>(8);

    /// <summary>Continues what was signalled on this thread since the last call. Not to be called under a lock.</summary>
    public static void RunDeferred()
    {
        // What continues may signal others: the list grows while it is gone through.
        for (int i = 0; i < t_deferred!.Count; i++)
            t_deferred[i]._source.SetResult(true);
        t_deferred.Clear();
    }

    /// <summary>From now on a <see cref="Signal"/> ends the wait that follows.</summary>
    public void Arm() => Volatile.Write(ref _state, Armed);

    /// <summary>Ends the wait, if somebody armed for one. Any thread, any number of times.</summary>
    public void Signal()
    {
        if (Volatile.Read(ref _state) != Armed || Interlocked.CompareExchange(ref _state, Completed, Armed) != Armed)
            return;
        if (!RunsInline)
            _source.SetResult(true);
        else if (t_deferred is { } deferred)
            deferred.Add(this);
        else
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
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
    void IThreadPoolWorkItem.Execute() => _source.SetResult(true);

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
        if (Interlocked.CompareExchange(ref _state, Completed, Armed) != Armed)
            return;
        if (!RunsInline)
            _source.SetException(new OperationCanceledException(token));
        else
            ThreadPool.UnsafeQueueUserWorkItem(static state => state.Signal._source.SetException(new OperationCanceledException(state.Token)), (Signal: this, Token: token), preferLocal: false);
    }
}
