using Iroh.Base;
using Iroh.Gossip.Messages;

namespace Iroh.Gossip;

/// <summary>Where the rooms of one topic put what they want done.</summary>
/// <param name="topic">Which topic.</param>
/// <param name="outputs">The node's queue.</param>
internal sealed class TopicOutbox(TopicId topic, Queue<GossipOutput> outputs)
{
    private readonly List<EndpointId> _released = [];

    /// <summary>Peers that the topic has let go of since the last look; another topic may still need them.</summary>
    public List<EndpointId> Released => _released;

    public void Send(EndpointId peer, TopicMessage message) => outputs.Enqueue(new SendMessage(peer, topic, message));

    public void Raise(GossipEvent gossipEvent) => outputs.Enqueue(new RaiseEvent(topic, gossipEvent));

    public void Learn(EndpointId peer, PeerData data) => outputs.Enqueue(new LearnPeerData(peer, data));

    public void Release(EndpointId peer) => _released.Add(peer);
}
