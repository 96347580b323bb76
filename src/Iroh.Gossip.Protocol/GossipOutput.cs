using Iroh.Base;
using Iroh.Gossip.Messages;

namespace Iroh.Gossip;

/// <summary>What <see cref="GossipState"/> wants done, in this order. The family is closed.</summary>
public abstract record GossipOutput
{
    private protected GossipOutput()
    {
    }
}

/// <summary>Send a message, after dialling where there is no connection.</summary>
/// <param name="Peer">To whom.</param>
/// <param name="Topic">On the stream of which topic.</param>
/// <param name="Message">What.</param>
public sealed record SendMessage(EndpointId Peer, TopicId Topic, TopicMessage Message) : GossipOutput;

/// <summary>No topic needs the connection to a peer: close it once everything is sent.</summary>
/// <param name="Peer">To whom.</param>
public sealed record ClosePeer(EndpointId Peer) : GossipOutput;

/// <summary>A peer's data has become known, or is another.</summary>
/// <param name="Peer">Whose.</param>
/// <param name="Data">What it or another said.</param>
public sealed record LearnPeerData(EndpointId Peer, PeerData Data) : GossipOutput;

/// <summary>Tell the application.</summary>
/// <param name="Topic">Where it happened.</param>
/// <param name="Event">What happened.</param>
public sealed record RaiseEvent(TopicId Topic, GossipEvent Event) : GossipOutput;
