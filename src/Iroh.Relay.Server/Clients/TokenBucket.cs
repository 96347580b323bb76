namespace Iroh.Relay.Server.Clients;

/// <summary>
/// How fast a client may send: bytes flow into a bucket at a rate, up to its size, and what is received takes them out. It may go below
/// empty by what had come already; then nothing is read until it is filled again. Not thread-safe.
/// </summary>
/// <param name="limit">Rate and size.</param>
internal sealed class TokenBucket(ReceiveLimit limit)
{
    private double _tokens = limit.BurstBytes;
    private TimeSpan _filledAt;

    /// <summary>Takes bytes that were received.</summary>
    /// <param name="now">The time since any fixed start.</param>
    /// <param name="bytes">How many came.</param>
    /// <returns>For how long nothing may be read now; zero if reading goes on.</returns>
    public TimeSpan Take(TimeSpan now, long bytes)
    {
        if (now > _filledAt)
        {
            _tokens = Math.Min(limit.BurstBytes, _tokens + ((now - _filledAt).TotalSeconds * limit.BytesPerSecond));
            _filledAt = now;
        }

        _tokens -= bytes;
        return _tokens >= 0 ? TimeSpan.Zero : TimeSpan.FromSeconds(-_tokens / limit.BytesPerSecond);
    }
}
