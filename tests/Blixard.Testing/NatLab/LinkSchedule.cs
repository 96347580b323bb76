namespace Blixard.Testing.NatLab;

/// <summary>Decides when each frame of one direction of a link arrives. Pure: time comes in. One owner.</summary>
internal sealed class LinkSchedule(int seed)
{
    private readonly Random _random = new(seed);
    private TimeSpan _freeAt;
    private TimeSpan _lastArrival;

    /// <summary>When a frame arrives that is sent now; null if it is lost.</summary>
    /// <param name="now">The time since any start.</param>
    /// <param name="bytes">The frame's length.</param>
    /// <param name="conditions">What the link does at this moment.</param>
    public TimeSpan? TryCarry(TimeSpan now, int bytes, LinkConditions conditions)
    {
        if (conditions.LossRate > 0 && _random.NextDouble() < conditions.LossRate)
            return null;
        TimeSpan arrival = now + conditions.Delay + (conditions.Jitter * _random.NextDouble());
        if (conditions.BytesPerSecond > 0)
        {
            TimeSpan start = _freeAt > now ? _freeAt : now;
            if (start - now > conditions.QueueMax)
                return null;
            _freeAt = start + TimeSpan.FromSeconds(bytes / (double)conditions.BytesPerSecond);
            arrival += _freeAt - now;
        }

        _lastArrival = arrival > _lastArrival ? arrival : _lastArrival;
        return _lastArrival;
    }
}
