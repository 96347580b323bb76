namespace Blixard.Testing.Chaos;

/// <summary>When writes were acknowledged, whoever made them. Thread-safe.</summary>
public sealed class Acknowledgements
{
    private readonly Lock _lock = new();
    private readonly List<TimeSpan> _times = [];

    /// <summary>How many there are.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _times.Count;
        }
    }

    /// <summary>A write was acknowledged.</summary>
    /// <param name="at">When, on any monotonic clock.</param>
    public void Add(TimeSpan at)
    {
        lock (_lock)
            _times.Add(at);
    }

    /// <summary>How long nothing was acknowledged, at most, between two moments: the longest time without one that lies in the span or
    /// reaches into it.</summary>
    public TimeSpan LongestGap(TimeSpan from, TimeSpan to)
    {
        TimeSpan[] times;
        lock (_lock)
            times = [.. _times.Order()];
        TimeSpan longest = TimeSpan.Zero, before = from;
        foreach (TimeSpan at in times)
        {
            if (at <= from)
            {
                before = at;
                continue;
            }

            longest = Max(longest, at - before);
            before = at;
            if (at >= to)
                return longest;
        }

        return Max(longest, to - before);
    }

    private static TimeSpan Max(TimeSpan one, TimeSpan other) => one > other ? one : other;
}
