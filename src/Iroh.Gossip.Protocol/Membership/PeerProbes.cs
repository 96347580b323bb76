using Iroh.Base;

namespace Iroh.Gossip.Membership;

/// <summary>
/// Which peers are thought to be there: when something was last heard of each neighbor, and who was asked for a sign of life and has not given one.
/// </summary>
/// <param name="capacity">How many are asked at a time, at most; more than there are neighbors.</param>
internal sealed class PeerProbes(int capacity)
{
    /// <summary>How long a neighbor may be silent before it is asked whether it is there.</summary>
    public static readonly TimeSpan SilenceMax = TimeSpan.FromSeconds(4);

    /// <summary>How long an answer may take: a dial over a relay, on a machine that is busy.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    private readonly PendingPeers _asked = new(capacity);
    private readonly Dictionary<EndpointId, TimeSpan> _heardAt = [];

    public TimeSpan? NextDeadline => _asked.NextDeadline;

    public bool IsAsked(EndpointId peer) => _asked.Contains(peer);

    /// <summary>A peer has become a neighbor.</summary>
    public void OnNeighborUp(TimeSpan now, EndpointId peer) => _heardAt[peer] = now;

    /// <summary>A peer is no neighbor any more.</summary>
    public void OnNeighborDown(EndpointId peer) => _heardAt.Remove(peer);

    /// <summary>A peer sent something, whatever it was.</summary>
    public void OnHeard(TimeSpan now, EndpointId peer)
    {
        _asked.Remove(peer);
        if (_heardAt.ContainsKey(peer))
            _heardAt[peer] = now;
    }

    /// <summary>Whether a neighbor has been silent for so long that it is to be asked.</summary>
    public bool IsSilent(TimeSpan now, EndpointId neighbor) => _heardAt.TryGetValue(neighbor, out TimeSpan at) && now - at >= SilenceMax;

    /// <summary>Starts to wait for an answer. False if one is waited for already, or from too many.</summary>
    public bool Ask(TimeSpan now, EndpointId peer) => _asked.Add(peer, now + Timeout);

    /// <summary>The connection to a peer broke. Whether it was asked.</summary>
    public bool Remove(EndpointId peer) => _asked.Remove(peer);

    /// <summary>Takes out those that did not answer in time.</summary>
    public List<EndpointId> TakeOverdue(TimeSpan now) => _asked.TakeOverdue(now);
}
