namespace Blixard.Rpc.Calls;

/// <summary>A token that fires when a call's time is over or when it is given up, and knows which.</summary>
internal sealed class CallDeadline : IDisposable
{
    private readonly CancellationTokenSource? _timer;
    private readonly CancellationTokenSource? _linked;
    private readonly TimeProvider _time;
    private readonly long _started;
    private readonly TimeSpan _timeout;

    public CallDeadline(TimeSpan? timeout, TimeProvider time, CancellationToken cancelled)
    {
        _time = time;
        Token = cancelled;
        if (timeout is not { } left || left > RpcCallOptions.TimeoutMax)
            return;
        _started = time.GetTimestamp();
        _timeout = left;
        _timer = left > TimeSpan.Zero ? new CancellationTokenSource(left, time) : new CancellationTokenSource();
        if (left <= TimeSpan.Zero)
            _timer.Cancel();
        _linked = CancellationTokenSource.CreateLinkedTokenSource(_timer.Token, cancelled);
        Token = _linked.Token;
    }

    public static RpcStatus Status => new(RpcStatusCode.DeadlineExceeded, "the call's time is over");

    public CancellationToken Token { get; }

    public bool HasPassed => _timer is { IsCancellationRequested: true };

    /// <summary>What is left, at least zero; null without a deadline.</summary>
    public TimeSpan? Remaining
    {
        get
        {
            if (_timer is null)
                return null;
            TimeSpan left = _timeout - _time.GetElapsedTime(_started);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    public void Dispose()
    {
        _linked?.Dispose();
        _timer?.Dispose();
    }
}
