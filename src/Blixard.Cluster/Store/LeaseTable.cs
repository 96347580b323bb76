namespace Blixard.Cluster.Store;

/// <summary>
/// The leases of a store and when each ends. A lease whose deadline has passed is gone for whoever asks, also while its keys are
/// still to be deleted; nothing brings it back. Times are those of one monotonic clock. Not thread-safe.
/// </summary>
internal sealed class LeaseTable
{
    /// <summary>The most leases: one for each node, several times over, of any fleet whose state fits into one file.</summary>
    public const int LeasesMax = 10_000;

    private readonly Dictionary<long, Lease> _leases = [];

    public int Count => _leases.Count;

    /// <summary>When the next lease ends, or has ended; null without leases.</summary>
    public TimeSpan? NextDeadline => _leases.Count == 0 ? null : _leases.Values.Min(lease => lease.Deadline);

    public bool Contains(long id) => _leases.ContainsKey(id);

    public void Add(long id, TimeSpan timeToLive, TimeSpan now) => _leases.Add(id, new Lease(timeToLive, now + timeToLive));

    public bool IsAlive(long id, TimeSpan now) => _leases.TryGetValue(id, out Lease lease) && now < lease.Deadline;

    /// <summary>Moves the deadline of a lease that is alive; null if it is not.</summary>
    public TimeSpan? Keep(long id, TimeSpan now)
    {
        if (!IsAlive(id, now))
            return null;
        TimeSpan timeToLive = _leases[id].TimeToLive;
        _leases[id] = new Lease(timeToLive, now + timeToLive);
        return timeToLive;
    }

    public void Remove(long id) => _leases.Remove(id);

    /// <summary>The leases that have ended and are not removed, those that ended first first.</summary>
    public IReadOnlyList<long> Ended(TimeSpan now) =>
        [.. _leases.Where(pair => pair.Value.Deadline <= now).OrderBy(pair => pair.Value.Deadline).ThenBy(pair => pair.Key).Select(pair => pair.Key)];

    private readonly record struct Lease(TimeSpan TimeToLive, TimeSpan Deadline);
}
