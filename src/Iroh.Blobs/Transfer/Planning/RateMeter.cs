namespace Iroh.Blobs.Transfer.Planning;

/// <summary>
/// How fast a source delivers: an average over the time in which something was asked of it, in which the last second counts most. A source
/// that falls silent under a request slows down within seconds. Pure: the time is an argument. Not thread-safe.
/// </summary>
internal sealed class RateMeter
{
    /// <summary>After this time a measurement counts for a third, in seconds.</summary>
    public const double MemorySeconds = 1;

    /// <summary>What was measured over less is not told yet.</summary>
    public const double TellAfterSeconds = 0.02;

    private double _bytes;
    private double _seconds;
    private double _last;
    private int _requests;

    /// <summary>A request begins.</summary>
    /// <param name="nowSeconds">The time, from any origin; never goes back.</param>
    public void OnRequest(double nowSeconds)
    {
        Advance(nowSeconds);
        _requests++;
    }

    /// <summary>A request ended.</summary>
    public void OnEnd(double nowSeconds)
    {
        Advance(nowSeconds);
        _requests--;
    }

    /// <summary>Bytes came.</summary>
    public void OnReceived(double nowSeconds, int bytes)
    {
        Advance(nowSeconds);
        _bytes += bytes;
    }

    /// <summary>Bytes a second; null as long as there is nothing to tell.</summary>
    public double? Rate(double nowSeconds)
    {
        Advance(nowSeconds);
        return _seconds < TellAfterSeconds || _bytes == 0 ? null : _bytes / _seconds;
    }

    private void Advance(double now)
    {
        if (_requests > 0 && now > _last)
        {
            double left = Math.Exp(-(now - _last) / MemorySeconds);
            _bytes *= left;
            _seconds = (_seconds * left) + (MemorySeconds * (1 - left));
        }

        _last = now;
    }
}
