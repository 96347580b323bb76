namespace Iroh.Blobs.Transfer.Receiving;

/// <summary>
/// Watches one request: it is cancelled when the source sends nothing for too long, or too little while it is waited for. Time that this
/// end spends on storing does not count against the source.
/// </summary>
internal sealed class SourceWatch : IDisposable
{
    /// <summary>Looks in one timeout: what is found late is late by a fraction of it.</summary>
    private const int LooksInTimeout = 8;

    private readonly BlobTransferOptions _options;
    private readonly CancellationTokenSource _cancelled;
    private readonly ITimer _timer;
    private readonly Lock _lock = new();
    private long _waitingSince;
    private bool _waiting = true;
    private TimeSpan _windowWaited;
    private long _windowBytes;

    /// <summary>Starts to wait for the source.</summary>
    /// <param name="options">The limits and the clock.</param>
    /// <param name="cancellationToken">Cancels <see cref="Token"/>, too.</param>
    public SourceWatch(BlobTransferOptions options, CancellationToken cancellationToken)
    {
        _options = options;
        _cancelled = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _waitingSince = options.TimeProvider.GetTimestamp();
        TimeSpan interval = TimeSpan.FromTicks(Math.Max(
            Math.Min(options.StallTimeout.Ticks, options.TrickleWindow.Ticks) / LooksInTimeout, TimeSpan.TicksPerMillisecond));
        _timer = options.TimeProvider.CreateTimer(_ => Look(), null, interval, interval);
    }

    /// <summary>Cancelled when the source is given up; then <see cref="Failure"/> says why, unless the caller cancelled.</summary>
    public CancellationToken Token => _cancelled.Token;

    /// <summary>Why the source was given up; null if it was not.</summary>
    public BlobTransferFailure? Failure { get; private set; }

    /// <summary>From here on the source is waited for.</summary>
    public void OnWait()
    {
        long now = _options.TimeProvider.GetTimestamp();
        lock (_lock)
            (_waiting, _waitingSince) = (true, now);
    }

    /// <summary>Something came.</summary>
    /// <param name="bytes">How much.</param>
    public void OnReceived(int bytes)
    {
        long now = _options.TimeProvider.GetTimestamp();
        lock (_lock)
        {
            if (_waiting)
                _windowWaited += _options.TimeProvider.GetElapsedTime(_waitingSince, now);
            _waiting = false;
            _windowBytes += bytes;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _timer.Dispose();
        _cancelled.Dispose();
    }

    private void Look()
    {
        long now = _options.TimeProvider.GetTimestamp();
        lock (_lock)
        {
            TimeSpan waiting = _waiting ? _options.TimeProvider.GetElapsedTime(_waitingSince, now) : TimeSpan.Zero;
            TimeSpan waited = _windowWaited + waiting;
            if (waiting >= _options.StallTimeout)
                Failure ??= BlobTransferFailure.Stalled;
            else if (waited >= _options.TrickleWindow && _windowBytes < _options.BytesPerSecondMin * waited.TotalSeconds)
                Failure ??= BlobTransferFailure.Trickling;
            else if (waited >= _options.TrickleWindow)
                (_windowWaited, _windowBytes, _waitingSince) = (TimeSpan.Zero, 0, now);
            if (Failure is null)
                return;
        }

        try
        {
            _cancelled.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The request ended meanwhile.
        }
    }
}
