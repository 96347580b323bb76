using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Gossip.Broadcast;
using Iroh.Gossip.Membership;
using Iroh.Gossip.Messages;

namespace Iroh.Gossip;

/// <summary>One topic of a node: who its neighbors are, and what they tell each other.</summary>
internal sealed class TopicState : INeighborListener
{
    private readonly TopicOutbox _outbox;
    private readonly MembershipState _membership;
    private readonly BroadcastState _broadcast;

    public TopicState(
        TimeSpan now, EndpointId self, PeerData? ownData, GossipConfiguration configuration, RandomSource random, TopicOutbox outbox,
        Func<EndpointId, bool>? admits)
    {
        _outbox = outbox;
        _broadcast = new BroadcastState(configuration, outbox);
        _membership = new MembershipState(now, self, ownData, configuration, random, outbox, this, admits);
    }

    public MembershipState Membership => _membership;

    public BroadcastState Broadcast => _broadcast;

    public TopicOutbox Outbox => _outbox;

    public TimeSpan NextTimeout => _membership.NextTimeout < _broadcast.NextTimeout ? _membership.NextTimeout : _broadcast.NextTimeout;

    public void OnMessage(TimeSpan now, EndpointId from, TopicMessage message)
    {
        _membership.SendAwayUnwanted(now);
        _membership.OnHeard(now, from);
        if (!_membership.Admits(from))
        {
            _membership.OnMessageFromStranger(from, isWanted: false);
            return;
        }

        if (message is not (PayloadMessage or PruneMessage or GraftMessage or AnnouncementMessage))
        {
            _membership.OnMessage(now, from, message);
            return;
        }

        _broadcast.OnMessage(now, from, message);
        if (!_membership.IsNeighbor(from))
            _membership.OnMessageFromStranger(from, isWanted: true);
    }

    public void OnTimeout(TimeSpan now)
    {
        if (_membership.NextTimeout <= now)
            _membership.OnTimeout(now);
        if (_broadcast.NextTimeout <= now)
            _broadcast.OnTimeout(now);
    }

    void INeighborListener.OnNeighborUp(TimeSpan now, EndpointId peer)
    {
        _outbox.Raise(new NeighborUp(peer));
        _broadcast.OnNeighborUp(now, peer);
    }

    void INeighborListener.OnNeighborDown(EndpointId peer)
    {
        _broadcast.OnNeighborDown(peer);
        _outbox.Raise(new NeighborDown(peer));
    }
}
