namespace Blixard.Cluster.Links;

/// <summary>Ends a guest's connection when it has been without a call for <see cref="Limit"/>.</summary>
internal sealed class GuestIdle : IDisposable
{
    /// <summary>How long a guest's connection may be without a call: somebody who joins has nothing to wait for.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly ITimer _timer;
    private int _calls;
    private bool _isDisposed;

    /// <summary>Starts to wait for a call.</summary>
    public GuestIdle(TimeProvider time, Action onIdle) =>
        _timer = time.CreateTimer(_ => onIdle(), null, Limit, Timeout.InfiniteTimeSpan);

    /// <summary>A call began.</summary>
    public void CallBegan() => Change(+1);

    /// <summary>A call ended.</summary>
    public void CallEnded() => Change(-1);

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
            _isDisposed = true;
        _timer.Dispose();
    }

    private void Change(int by)
    {
        lock (_lock)
        {
            _calls += by;
            if (!_isDisposed)
                _timer.Change(_calls > 0 ? Timeout.InfiniteTimeSpan : Limit, Timeout.InfiniteTimeSpan);
        }
    }
}
