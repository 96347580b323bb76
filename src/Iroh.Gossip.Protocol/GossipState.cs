using System.Diagnostics.CodeAnalysis;
using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Gossip.Messages;

namespace Iroh.Gossip;

/// <summary>
/// The gossip of one node, in several topics, without I/O. Inputs are calls with the present time; what is to be done comes out of
/// <see cref="TryGetOutput"/>, to be read after every input; <see cref="OnTimeout"/> is called at <see cref="NextTimeout"/>.
/// One owner, not thread-safe.
/// </summary>
/// <remarks>Times are counted from any origin, the same for all calls. The same calls with the same seed give the same outputs.</remarks>
public sealed class GossipState
{
    private readonly EndpointId _self;
    private readonly GossipConfiguration _configuration;
    private readonly RandomSource _random;
    private readonly Func<TopicId, EndpointId, bool>? _admits;
    private readonly SortedDictionary<TopicId, TopicState> _topics = [];
    private readonly Queue<GossipOutput> _outputs = new();
    private PeerData? _ownData;

    /// <param name="self">This node.</param>
    /// <param name="configuration">Limits and timers.</param>
    /// <param name="random">Belongs to the state from now on.</param>
    /// <param name="admits">Who may take part in a topic; null for everybody. Asked for every message, also about neighbors, so that whoever may no
    /// longer is sent away. Must be quick.</param>
    public GossipState(EndpointId self, GossipConfiguration configuration, RandomSource random, Func<TopicId, EndpointId, bool>? admits = null)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(random);
        configuration.Validate();
        (_self, _configuration, _random, _admits) = (self, configuration, random, admits);
    }

    /// <summary>The topics that the node is in.</summary>
    public IEnumerable<TopicId> Topics => _topics.Keys;

    /// <summary>When <see cref="OnTimeout"/> is to be called; null while no topic is joined.</summary>
    public TimeSpan? NextTimeout => _topics.Count == 0 ? null : _topics.Values.Min(topic => topic.NextTimeout);

    /// <summary>Takes the next thing to do.</summary>
    public bool TryGetOutput([NotNullWhen(true)] out GossipOutput? output) => _outputs.TryDequeue(out output);

    /// <summary>The neighbors in a topic now; none if it is not joined.</summary>
    public IReadOnlyList<EndpointId> Neighbors(TopicId topic) =>
        _topics.TryGetValue(topic, out TopicState? state) ? [.. state.Membership.Neighbors] : [];

    /// <summary>The neighbors in a topic that messages are sent to in full.</summary>
    public IReadOnlyList<EndpointId> EagerNeighbors(TopicId topic) =>
        _topics.TryGetValue(topic, out TopicState? state) ? [.. state.Broadcast.EagerNeighbors] : [];

    /// <summary>Whether any topic needs the connection to a peer.</summary>
    public bool Needs(EndpointId peer) => _topics.Values.Any(topic => topic.Membership.Needs(peer));

    /// <summary>What the node tells of itself from now on, in every topic.</summary>
    /// <exception cref="ArgumentException">It is longer than others would pass on.</exception>
    public void SetOwnData(PeerData data)
    {
        ArgumentNullException.ThrowIfNull(data);
        if (data.Length > Membership.PeerDirectory.DataLengthMax)
            throw new ArgumentException($"Peer data has at most {Membership.PeerDirectory.DataLengthMax} bytes; this has {data.Length}.", nameof(data));
        _ownData = data;
        foreach (TopicState topic in _topics.Values)
            topic.Membership.SetOwnData(data);
    }

    /// <summary>Enters a topic by way of some peers that are in it, or asks more peers in one that is joined.</summary>
    /// <param name="now">The present time.</param>
    /// <param name="topic">Which topic.</param>
    /// <param name="peers">May be none: then others come, or nobody does.</param>
    public void Join(TimeSpan now, TopicId topic, IEnumerable<EndpointId> peers)
    {
        ArgumentNullException.ThrowIfNull(peers);
        if (!_topics.TryGetValue(topic, out TopicState? state))
        {
            Func<EndpointId, bool>? admits = _admits is null ? null : peer => _admits(topic, peer);
            state = new TopicState(now, _self, _ownData, _configuration, _random, new TopicOutbox(topic, _outputs), admits);
            _topics.Add(topic, state);
        }

        state.Membership.Join(now, peers);
        CloseReleased(state);
    }

    /// <summary>Leaves a topic and tells the neighbors in it. Without effect if it is not joined.</summary>
    public void Quit(TopicId topic)
    {
        if (!_topics.Remove(topic, out TopicState? state))
            return;
        state.Membership.Quit();
        CloseReleased(state);
    }

    /// <summary>Sends a message of this node.</summary>
    /// <param name="now">The present time.</param>
    /// <param name="topic">Where; it must be joined.</param>
    /// <param name="content">Kept; must not be changed afterwards.</param>
    /// <param name="scope">To whom.</param>
    /// <returns>False if nothing was sent, because the same content has been in the swarm within <see cref="GossipConfiguration.MessageIdRetention"/>.</returns>
    /// <exception cref="ArgumentException">The content is longer than <see cref="GossipConfiguration.ContentLengthMax"/>.</exception>
    /// <exception cref="InvalidOperationException">The topic is not joined.</exception>
    public bool Broadcast(TimeSpan now, TopicId topic, ReadOnlyMemory<byte> content, GossipScope scope)
    {
        if (content.Length > _configuration.ContentLengthMax)
        {
            throw new ArgumentException(
                $"A gossip message has at most {_configuration.ContentLengthMax} bytes; this has {content.Length}. Send a hash and let receivers fetch the content.", nameof(content));
        }

        if (!_topics.TryGetValue(topic, out TopicState? state))
            throw new InvalidOperationException($"Topic {topic.ToShortString()} is not joined.");
        state.Membership.SendAwayUnwanted(now);
        bool isNew = state.Broadcast.Broadcast(now, content, scope);
        CloseReleased(state);
        return isNew;
    }

    /// <summary>Takes a message that came on a topic's stream; one for a topic that is not joined is dropped.</summary>
    public void OnMessage(TimeSpan now, EndpointId from, TopicId topic, TopicMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (!_topics.TryGetValue(topic, out TopicState? state))
            return;
        state.OnMessage(now, from, message);
        CloseReleased(state);
    }

    /// <summary>The connection to a peer broke, or none came up.</summary>
    public void OnPeerDisconnected(TimeSpan now, EndpointId peer)
    {
        foreach (TopicState state in _topics.Values)
        {
            state.Membership.OnPeerDisconnected(now, peer);
            CloseReleased(state);
        }
    }

    /// <summary>Does what has become due. Without effect before <see cref="NextTimeout"/>.</summary>
    public void OnTimeout(TimeSpan now)
    {
        foreach (TopicState state in _topics.Values)
        {
            state.OnTimeout(now);
            CloseReleased(state);
        }
    }

    /// <summary>The rooms of a topic, for tests of bounds and views.</summary>
    internal TopicState? Find(TopicId topic) => _topics.GetValueOrDefault(topic);

    private void CloseReleased(TopicState state)
    {
        // A peer's connection serves all topics: it is closed when the last one has let go of it.
        foreach (EndpointId peer in state.Outbox.Released)
        {
            if (!Needs(peer))
                _outputs.Enqueue(new ClosePeer(peer));
        }

        state.Outbox.Released.Clear();
    }
}
