namespace Iroh.Blobs.Provider;

/// <summary>
/// Holds senders to a rate: each says how much it is about to send and is told how long to wait first. What was not used within the last
/// <see cref="BurstSeconds"/> may be sent at once. Thread-safe; the time is an argument.
/// </summary>
/// <param name="bytesPerSecond">The rate, at least 1.</param>
internal sealed class ByteRate(long bytesPerSecond)
{
    /// <summary>How much of the past counts: timers are late by milliseconds, and what they cost should not be lost; longer would let an
    /// idle limit begin with a flood.</summary>
    public const double BurstSeconds = 0.1;

    private readonly Lock _lock = new();
    private double _paidUntil = double.NegativeInfinity;

    /// <summary>Books a number of bytes.</summary>
    /// <param name="nowSeconds">The time, from any origin; never goes back.</param>
    /// <param name="bytes">What is to be sent.</param>
    /// <returns>How long to wait before sending, in seconds; 0 = not at all.</returns>
    public double Book(double nowSeconds, long bytes)
    {
        lock (_lock)
        {
            double wait = Math.Max(0, _paidUntil - nowSeconds);
            _paidUntil = Math.Max(_paidUntil, nowSeconds - BurstSeconds) + ((double)bytes / bytesPerSecond);
            return wait;
        }
    }
}
