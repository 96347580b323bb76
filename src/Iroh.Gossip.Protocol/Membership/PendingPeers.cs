using Iroh.Base;

namespace Iroh.Gossip.Membership;

/// <summary>Peers that have been asked something and have not answered, each with the time at which waiting ends.</summary>
/// <param name="capacity">How many are asked at a time, at most.</param>
internal sealed class PendingPeers(int capacity)
{
    private readonly List<(EndpointId Peer, TimeSpan Deadline)> _pending = [];

    public int Count => _pending.Count;

    public TimeSpan? NextDeadline => _pending.Count == 0 ? null : _pending.Min(pending => pending.Deadline);

    public bool Contains(EndpointId peer) => _pending.Exists(pending => pending.Peer == peer);

    /// <summary>Starts to wait. False if that is so already, or too many are waited for.</summary>
    public bool Add(EndpointId peer, TimeSpan deadline)
    {
        if (_pending.Count >= capacity || Contains(peer))
            return false;
        _pending.Add((peer, deadline));
        return true;
    }

    public bool Remove(EndpointId peer) => _pending.RemoveAll(pending => pending.Peer == peer) > 0;

    /// <summary>Takes out those that have waited long enough.</summary>
    public List<EndpointId> TakeOverdue(TimeSpan now)
    {
        List<EndpointId> overdue = [.. _pending.Where(pending => pending.Deadline <= now).Select(pending => pending.Peer)];
        _pending.RemoveAll(pending => pending.Deadline <= now);
        return overdue;
    }
}
