using Iroh.Base;

namespace Blixard.Cluster.Liveness;

/// <summary>
/// Says which members are lost. Pure but for what it has seen: one for each time that a controller leads. A member whose alive key was seen
/// and is gone is lost at once, as its lease has ended. One that was never seen alive gets one time to live: it may be joining, or have been
/// cut off together with the servers. Not thread-safe.
/// </summary>
/// <param name="patience">How long a member that was never seen may take.</param>
public sealed class LossJudge(TimeSpan patience)
{
    private readonly HashSet<EndpointId> _seen = [];
    private readonly Dictionary<EndpointId, TimeSpan> _missingSince = [];

    /// <summary>Judges.</summary>
    /// <param name="members">All members.</param>
    /// <param name="alive">Those whose alive key is there.</param>
    /// <param name="known">Those that are recorded as lost.</param>
    /// <param name="now">A clock that only goes forward.</param>
    /// <returns>The lost members, and when to judge again if nothing changes; null: not before.</returns>
    public (IReadOnlySet<EndpointId> Lost, TimeSpan? LookAgainAt) Judge(
        IReadOnlyCollection<EndpointId> members, IReadOnlySet<EndpointId> alive, IReadOnlySet<EndpointId> known, TimeSpan now)
    {
        ArgumentNullException.ThrowIfNull(members);
        ArgumentNullException.ThrowIfNull(alive);
        ArgumentNullException.ThrowIfNull(known);
        var lost = new HashSet<EndpointId>();
        TimeSpan? again = null;
        foreach (EndpointId member in members)
        {
            if (alive.Contains(member))
            {
                _seen.Add(member);
                _missingSince.Remove(member);
                continue;
            }

            _missingSince.TryAdd(member, now);
            TimeSpan due = _missingSince[member] + patience;
            if (_seen.Contains(member) || known.Contains(member) || due <= now)
                lost.Add(member);
            else if (again is null || due < again)
                again = due;
        }

        _seen.IntersectWith(members);
        foreach (EndpointId gone in _missingSince.Keys.Except(members).ToArray())
            _missingSince.Remove(gone);
        return (lost, again);
    }
}
