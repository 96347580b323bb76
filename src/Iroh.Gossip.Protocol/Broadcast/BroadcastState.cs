using Iroh.Base;
using Iroh.Gossip.Messages;

namespace Iroh.Gossip.Broadcast;

/// <summary>
/// Passes messages on among the neighbors of one topic (PlumTree, Leitão et al. 2007): in full to eager neighbors, which grow into a tree,
/// announced to lazy ones, which mend it where it breaks.
/// </summary>
internal sealed class BroadcastState
{
    private const int RoundMax = ushort.MaxValue;

    // Two tags and the count.
    private const int AnnouncementOverhead = 2 + 3;

    private readonly GossipConfiguration _configuration;
    private readonly TopicOutbox _outbox;
    private readonly List<Neighbor> _neighbors = [];
    private readonly MessageMemory _memory;
    private readonly MissingMessages _missing;
    private readonly int _noticesMax;
    private TimeSpan? _announceAt;

    public BroadcastState(GossipConfiguration configuration, TopicOutbox outbox)
    {
        (_configuration, _outbox) = (configuration, outbox);
        _memory = new MessageMemory(configuration.ContentRetention, configuration.MessageIdRetention);
        _missing = new MissingMessages(configuration.GraftTimeout, configuration.GraftRepeat);
        _noticesMax = (configuration.MessageSizeMax - 1 - AnnouncementOverhead) / TopicMessageCodec.NoticeLengthMax;
    }

    /// <summary>When <see cref="OnTimeout"/> is to be called.</summary>
    public TimeSpan NextTimeout
    {
        get
        {
            TimeSpan next = _announceAt ?? TimeSpan.MaxValue;
            next = _missing.NextDeadline < next ? _missing.NextDeadline : next;
            return _memory.NextEviction < next ? _memory.NextEviction : next;
        }
    }

    /// <summary>Neighbors that get messages in full.</summary>
    public IEnumerable<EndpointId> EagerNeighbors => _neighbors.Where(neighbor => neighbor.IsEager).Select(neighbor => neighbor.Id);

    /// <summary>How many things are remembered, of which kind; for tests of the bounds.</summary>
    public (int Ids, int Missing, int Waiting) Sizes => (_memory.Count, _missing.Count, _neighbors.Sum(neighbor => neighbor.Waiting.Count));

    /// <summary>Sends a message of this node. False if the same content was seen lately: the others would drop it.</summary>
    public bool Broadcast(TimeSpan now, ReadOnlyMemory<byte> content, GossipScope scope)
    {
        MessageId id = MessageId.OfContent(content.Span);
        if (scope == GossipScope.Neighbors)
        {
            // DEVIATES: iroh-gossip sends to eager neighbors only, of which there may be none where many have sent at once.
            foreach (Neighbor neighbor in _neighbors)
                _outbox.Send(neighbor.Id, new PayloadMessage(id, content, null));
            return true;
        }

        if (_memory.Contains(id))
            return false;
        var message = new PayloadMessage(id, content, 0);
        _memory.Add(now, message);
        _missing.Remove(id);
        PassOn(now, message, from: null);
        return true;
    }

    public void OnNeighborUp(TimeSpan now, EndpointId peer)
    {
        var neighbor = new Neighbor(peer);
        _neighbors.Add(neighbor);
        foreach (MessageNotice notice in _memory.Since(now - _configuration.CatchUpWindow, _noticesMax))
            Announce(now, neighbor, notice);
    }

    public void OnNeighborDown(EndpointId peer)
    {
        _neighbors.RemoveAll(neighbor => neighbor.Id == peer);
        _missing.Remove(peer);
    }

    public void OnMessage(TimeSpan now, EndpointId from, TopicMessage message)
    {
        Neighbor? sender = _neighbors.Find(neighbor => neighbor.Id == from);
        switch (message)
        {
            case PayloadMessage payload:
                OnPayload(now, from, sender, payload);
                break;
            case PruneMessage when sender is not null:
                sender.IsEager = false;
                break;
            case GraftMessage graft when sender is not null:
                sender.IsEager = true;
                if (graft.Id is { } id && _memory.Find(id) is { } asked)
                    _outbox.Send(from, asked);
                break;
            case AnnouncementMessage announcement when sender is not null:
                foreach (MessageNotice notice in announcement.Notices)
                {
                    if (!_memory.Contains(notice.Id))
                        _missing.Add(now, notice.Id, from, notice.Round);
                }

                break;
        }
    }

    public void OnTimeout(TimeSpan now)
    {
        if (_announceAt <= now)
        {
            _announceAt = null;
            foreach (Neighbor neighbor in _neighbors)
                SendAnnouncements(neighbor);
        }

        while (_missing.TryTakeDue(now, out MessageId id, out EndpointId advertiser, out int round))
        {
            if (_neighbors.Find(neighbor => neighbor.Id == advertiser) is not { } neighbor)
                continue;
            neighbor.IsEager = true;
            _outbox.Send(advertiser, new GraftMessage(id, round));
        }

        if (_memory.NextEviction <= now)
            _memory.Evict(now);
    }

    private void OnPayload(TimeSpan now, EndpointId from, Neighbor? sender, PayloadMessage message)
    {
        // Whoever lies about an id would have it marked as seen.
        if (MessageId.OfContent(message.Content.Span) != message.Id)
            return;
        if (message.Round is not { } round)
        {
            _outbox.Raise(new MessageReceived(message.Content, GossipScope.Neighbors, from, 0));
            return;
        }

        if (_memory.Contains(message.Id))
        {
            if (sender is null)
                return;
            sender.IsEager = false;
            _outbox.Send(from, new PruneMessage());
            return;
        }

        PayloadMessage next = message with { Round = Math.Min(round + 1, RoundMax) };
        _memory.Add(now, next);
        if (sender is not null)
            sender.IsEager = true;
        (EndpointId Peer, int Round)? best = _missing.Remove(message.Id);
        PassOn(now, next, from);
        if (sender is not null && best is { } shorter && shorter.Peer != from && round - shorter.Round >= _configuration.OptimizationThreshold)
            Optimize(sender, shorter.Peer, shorter.Round);
        _outbox.Raise(new MessageReceived(message.Content, GossipScope.Swarm, from, round));
    }

    /// <summary>The message would have come over fewer peers from another neighbor: that one becomes the parent.</summary>
    private void Optimize(Neighbor deliverer, EndpointId shorter, int round)
    {
        if (_neighbors.Find(neighbor => neighbor.Id == shorter) is not { } parent)
            return;
        if (!parent.IsEager)
        {
            parent.IsEager = true;
            _outbox.Send(shorter, new GraftMessage(null, round));
        }

        deliverer.IsEager = false;
        _outbox.Send(deliverer.Id, new PruneMessage());
    }

    private void PassOn(TimeSpan now, PayloadMessage message, EndpointId? from)
    {
        foreach (Neighbor neighbor in _neighbors)
        {
            if (neighbor.Id == from)
                continue;
            if (neighbor.IsEager)
                _outbox.Send(neighbor.Id, message);
            else
                Announce(now, neighbor, new MessageNotice(message.Id, message.Round!.Value));
        }
    }

    private void Announce(TimeSpan now, Neighbor neighbor, MessageNotice notice)
    {
        neighbor.Waiting.Add(notice);
        if (neighbor.Waiting.Count >= _noticesMax)
            SendAnnouncements(neighbor);
        else
            _announceAt ??= now + _configuration.AnnouncementDelay;
    }

    private void SendAnnouncements(Neighbor neighbor)
    {
        if (neighbor.Waiting.Count == 0)
            return;
        _outbox.Send(neighbor.Id, new AnnouncementMessage([.. neighbor.Waiting]));
        neighbor.Waiting.Clear();
    }

    private sealed class Neighbor(EndpointId id)
    {
        public EndpointId Id { get; } = id;

        public bool IsEager { get; set; } = true;

        /// <summary>Announcements that have not left; fewer than fit a frame.</summary>
        public List<MessageNotice> Waiting { get; } = [];
    }
}
