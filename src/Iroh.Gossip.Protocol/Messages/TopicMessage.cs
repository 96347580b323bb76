using System.Collections.Immutable;
using Iroh.Base;

namespace Iroh.Gossip.Messages;

/// <summary>What peers of one topic say to each other. Immutable; the family is closed.</summary>
public abstract record TopicMessage
{
    private protected TopicMessage()
    {
    }
}

/// <summary>A peer as others tell of it.</summary>
/// <param name="Id">Who it is.</param>
/// <param name="Data">What it said about itself; null if unknown.</param>
public sealed record PeerInfo(EndpointId Id, PeerData? Data);

/// <summary>How much a peer wants to be a neighbor.</summary>
public enum NeighborPriority
{
    /// <summary>It has no other neighbor: it is always accepted.</summary>
    High = 0,

    /// <summary>It is accepted where a place is free.</summary>
    Low = 1,
}

/// <summary>"Let me in": always accepted, and passed on as <see cref="ForwardJoinMessage"/>.</summary>
/// <param name="Data">What the sender says about itself.</param>
public sealed record JoinMessage(PeerData? Data) : TopicMessage;

/// <summary>Tells of a peer that joined elsewhere, on a random walk.</summary>
/// <param name="Peer">Who joined.</param>
/// <param name="TimeToLive">Hops that the walk goes on, 0 to 65,535.</param>
public sealed record ForwardJoinMessage(PeerInfo Peer, int TimeToLive) : TopicMessage;

/// <summary>Some peers that the origin knows, on a random walk to somebody who answers with as many.</summary>
/// <param name="Origin">Who gets the answer.</param>
/// <param name="Nodes">The origin itself and some of those that it knows.</param>
/// <param name="TimeToLive">Hops that the walk goes on, 0 to 65,535.</param>
public sealed record ShuffleMessage(EndpointId Origin, ImmutableArray<PeerInfo> Nodes, int TimeToLive) : TopicMessage;

/// <summary>The answer to a <see cref="ShuffleMessage"/>, and what a peer that is sent away gets to find others.</summary>
/// <param name="Nodes">Some that the sender knows.</param>
public sealed record ShuffleReplyMessage(ImmutableArray<PeerInfo> Nodes) : TopicMessage;

/// <summary>"Be my neighbor", and the agreement to it.</summary>
/// <param name="Priority">Whether a free place is needed.</param>
/// <param name="Data">What the sender says about itself.</param>
public sealed record NeighborMessage(NeighborPriority Priority, PeerData? Data) : TopicMessage;

/// <summary>"You are no longer my neighbor."</summary>
/// <param name="IsAlive">Whether the sender stays in the topic and may be asked again.</param>
public sealed record DisconnectMessage(bool IsAlive) : TopicMessage;

/// <summary>A message of the application.</summary>
/// <param name="Id">The hash of the content.</param>
/// <param name="Content">The bytes.</param>
/// <param name="Round">How many peers have passed it on before, 0 to 65,535; null for one that is for neighbors only.</param>
public sealed record PayloadMessage(MessageId Id, ReadOnlyMemory<byte> Content, int? Round) : TopicMessage;

/// <summary>"Others send me this sooner: from now on announce only."</summary>
public sealed record PruneMessage : TopicMessage;

/// <summary>"Send me messages again", and perhaps first the one that I miss.</summary>
/// <param name="Id">What is missing; null for nothing.</param>
/// <param name="Round">The round under which it was announced.</param>
public sealed record GraftMessage(MessageId? Id, int Round) : TopicMessage;

/// <summary>One message that the sender has.</summary>
/// <param name="Id">Which.</param>
/// <param name="Round">How many peers have passed it on to get there, 0 to 65,535.</param>
public readonly record struct MessageNotice(MessageId Id, int Round);

/// <summary>"I have these; ask if you miss one."</summary>
/// <param name="Notices">Which.</param>
public sealed record AnnouncementMessage(ImmutableArray<MessageNotice> Notices) : TopicMessage;
