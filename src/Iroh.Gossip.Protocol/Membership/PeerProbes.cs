using Iroh.Base;

namespace Iroh.Gossip.Membership;

/// <summary>Which neighbors are thought to be there: when something was last heard of each, and who was asked for a sign of life and has not given one.</summary>
internal sealed class PeerProbes
{
    /// <summary>How long a neighbor may be silent before it is asked whether it is there.</summary>
    public static readonly TimeSpan SilenceMax = TimeSpan.FromSeconds(4);

    /// <summary>How long an answer may take: some round trips over a relay, to a machine that is busy.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    // Sorted, so that a seed replays.
    private readonly SortedDictionary<EndpointId, (TimeSpan HeardAt, TimeSpan? Deadline)> _neighbors = [];

    public TimeSpan? NextDeadline => _neighbors.Values.Min(neighbor => neighbor.Deadline);

    /// <summary>A peer has become a neighbor.</summary>
    public void OnNeighborUp(TimeSpan now, EndpointId peer) => _neighbors[peer] = (now, null);

    /// <summary>A peer is no neighbor any more.</summary>
    public void OnNeighborDown(EndpointId peer) => _neighbors.Remove(peer);

    /// <summary>A peer sent something, whatever it was.</summary>
    public void OnHeard(TimeSpan now, EndpointId peer)
    {
        if (_neighbors.ContainsKey(peer))
            _neighbors[peer] = (now, null);
    }

    /// <summary>Whether a neighbor has been silent for so long that it is to be asked.</summary>
    public bool IsSilent(TimeSpan now, EndpointId neighbor) => now - _neighbors[neighbor].HeardAt >= SilenceMax;

    /// <summary>A neighbor is asked. False if its answer to a question before is waited for.</summary>
    public bool Ask(TimeSpan now, EndpointId neighbor)
    {
        (TimeSpan heardAt, TimeSpan? deadline) = _neighbors[neighbor];
        if (deadline is not null)
            return false;
        _neighbors[neighbor] = (heardAt, now + Timeout);
        return true;
    }

    /// <summary>Takes out the questions that were not answered in time.</summary>
    public List<EndpointId> TakeOverdue(TimeSpan now)
    {
        List<EndpointId> overdue = [.. _neighbors.Where(neighbor => neighbor.Value.Deadline <= now).Select(neighbor => neighbor.Key)];
        foreach (EndpointId peer in overdue)
            _neighbors[peer] = (_neighbors[peer].HeardAt, null);
        return overdue;
    }
}
