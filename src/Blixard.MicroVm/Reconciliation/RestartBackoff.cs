namespace Blixard.MicroVm.Reconciliation;

/// <summary>How long a VM waits before it is started again after ends in a row.</summary>
internal static class RestartBackoff
{
    /// <summary>The wait after the first end: long enough not to spin, short enough not to be noticed.</summary>
    public static readonly TimeSpan First = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait: a fault that went away is noticed within a minute.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    /// <summary>A VM that ran this long had come up well; its next end counts as the first.</summary>
    public static readonly TimeSpan ResetAfter = TimeSpan.FromMinutes(10);

    /// <summary>The wait after <paramref name="ends"/> ends in a row: none, 1 s, 2 s, 4 s, … 60 s.</summary>
    public static TimeSpan Delay(int ends) => ends switch
    {
        <= 0 => TimeSpan.Zero,
        // 2^6 s is beyond the longest wait; a larger shift would overflow.
        >= 7 => Longest,
        _ => First * (1 << (ends - 1)),
    };

    /// <summary>Counts one more end, of an instance that ran for <paramref name="uptime"/>.</summary>
    public static int Count(int ends, TimeSpan uptime) => uptime >= ResetAfter ? 1 : Math.Min(ends, int.MaxValue - 1) + 1;

    /// <summary>
    /// When a VM may be started that ended at <paramref name="endedAt"/>. An end that lies in the future (the clock went back) does not
    /// count.
    /// </summary>
    public static DateTimeOffset NotBefore(int ends, DateTimeOffset? endedAt, DateTimeOffset now) =>
        endedAt is { } ended && ended <= now ? ended + Delay(ends) : now;
}
