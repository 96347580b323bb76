using Iroh.Base;

namespace Iroh.Gossip;

/// <summary>What happens in a topic. The family is closed.</summary>
public abstract record GossipEvent
{
    private protected GossipEvent()
    {
    }
}

/// <summary>There is a new neighbor.</summary>
/// <param name="Peer">Who.</param>
public sealed record NeighborUp(EndpointId Peer) : GossipEvent;

/// <summary>A neighbor is none any more: it left, failed, or made room for another.</summary>
/// <param name="Peer">Who.</param>
public sealed record NeighborDown(EndpointId Peer) : GossipEvent;

/// <summary>Whom a message was sent to.</summary>
public enum GossipScope
{
    /// <summary>Everybody in the topic.</summary>
    Swarm,

    /// <summary>The neighbors of whoever sent it.</summary>
    Neighbors,
}

/// <summary>A message has come. Nothing in it says who wrote it: applications sign what must be attributed.</summary>
/// <param name="Content">The bytes.</param>
/// <param name="Scope">Whom it was sent to.</param>
/// <param name="DeliveredFrom">The neighbor that it came from, who need not be its author.</param>
/// <param name="Round">How many peers passed it on before; 0 if it came straight from its author, and for <see cref="GossipScope.Neighbors"/>.</param>
public sealed record MessageReceived(ReadOnlyMemory<byte> Content, GossipScope Scope, EndpointId DeliveredFrom, int Round) : GossipEvent;

/// <summary>Events were dropped because nobody read them in time. Whoever follows neighbors looks at those that there are now.</summary>
/// <param name="Missed">How many, at least 1.</param>
public sealed record EventsLagged(long Missed) : GossipEvent;
