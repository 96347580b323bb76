using System.Collections.Immutable;
using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Gossip.Messages;

namespace Iroh.Gossip.Membership;

/// <summary>
/// Who is whose neighbor in one topic (HyParView, Leitão et al. 2007, with the changes of iroh-gossip): an active view of neighbors, which
/// is symmetric, and a passive view of peers to replace them with.
/// </summary>
/// <remarks>
/// DEVIATES from iroh-gossip, all understood by its peers: answers to requests are not waited for themselves; all free places are asked
/// for at once, and who refused is not asked again before the next shuffle; a peer without neighbors joins anew by itself; peers that
/// went silent are tried again, one at each shuffle, so that a topic that was cut in two becomes one again; while peers come and go, shuffles
/// are frequent, neighbors are asked whether they are there (a shuffle without hops is answered by whoever gets it), and remembered peers are
/// taken for neighbors in place of others, so that parts that know of each other become one.
/// </remarks>
internal sealed class MembershipState
{
    // Requests caused by others (walks of joining peers) come on top of our own; more at a time are somebody's attack.
    private const int RequestsMax = 32;

    // Bootstrap peers that are remembered for joining anew.
    private const int ContactsMax = 64;

    // Peers that one join is sent to when it is repeated.
    private const int RejoinsAtOnce = 3;

    // Peers that have been told that they are no neighbors; each is told once between two shuffles.
    private const int ToldMax = 64;

    // Refusals between two shuffles after which a peer with a free place stops asking: where all are full, somebody's place stays free.
    private const int RefusalsMax = 4;

    // Tags, origin, count, walk: what a list of peers shares its frame with.
    private const int ListOverhead = 64;

    private readonly EndpointId _self;
    private readonly GossipConfiguration _configuration;
    private readonly RandomSource _random;
    private readonly TopicOutbox _outbox;
    private readonly INeighborListener _listener;
    private readonly Func<EndpointId, bool>? _admits;
    private readonly PeerDirectory _directory;
    private readonly PeerSet _active;
    private readonly PeerSet _passive;
    private readonly PeerSet _contacts = new(ContactsMax);
    private readonly PeerSet _refused;
    private readonly PeerSet _told = new(ToldMax);
    private readonly PendingPeers _requests = new(RequestsMax);
    private readonly PendingPeers _joins = new(ContactsMax);
    private readonly LostPeers _lost = new();
    private readonly PeerProbes _probes = new();
    private readonly ShuffleSchedule _shuffles;
    private PeerData? _ownData;
    private TimeSpan? _rejoinAt;
    private TimeSpan _rejoinDelay;

    public MembershipState(
        TimeSpan now, EndpointId self, PeerData? ownData, GossipConfiguration configuration, RandomSource random, TopicOutbox outbox,
        INeighborListener listener, Func<EndpointId, bool>? admits)
    {
        _admits = admits;
        (_self, _ownData, _configuration, _random, _outbox, _listener) = (self, ownData, configuration, random, outbox, listener);
        _active = new PeerSet(configuration.ActiveViewCapacity);
        _passive = new PeerSet(configuration.PassiveViewCapacity);
        _refused = new PeerSet(RequestsMax);
        int known = configuration.ActiveViewCapacity + configuration.PassiveViewCapacity + RequestsMax + LostPeers.Capacity + 1;
        _directory = new PeerDirectory(outbox, IsInView, known);
        _rejoinDelay = configuration.RejoinDelay;
        _shuffles = new ShuffleSchedule(now, configuration, random);
    }

    /// <summary>The neighbors.</summary>
    public IReadOnlyList<EndpointId> Neighbors => _active.All;

    /// <summary>The peers that neighbors may be replaced with.</summary>
    public IReadOnlyList<EndpointId> PassiveView => _passive.All;

    /// <summary>When <see cref="OnTimeout"/> is to be called.</summary>
    public TimeSpan NextTimeout =>
        new[] { _shuffles.DueAt, _rejoinAt, _requests.NextDeadline, _joins.NextDeadline, _probes.NextDeadline }.Min()!.Value;

    /// <summary>Whether the topic needs the connection to a peer.</summary>
    public bool Needs(EndpointId peer) => _active.Contains(peer) || _requests.Contains(peer) || _joins.Contains(peer);

    /// <summary>Whether a peer is a neighbor.</summary>
    public bool IsNeighbor(EndpointId peer) => _active.Contains(peer);

    /// <summary>Whether a peer may take part.</summary>
    public bool Admits(EndpointId peer) => _admits is null || _admits(peer);

    /// <summary>Ends what there is with neighbors that may no longer take part.</summary>
    public void SendAwayUnwanted(TimeSpan now)
    {
        if (_admits is null || _active.All.All(_admits))
            return;
        foreach (EndpointId peer in _active.All.Where(peer => !_admits(peer)).ToArray())
        {
            RemoveActive(peer);
            _requests.Remove(peer);
            // Without others to turn to: it is not to find its way in again.
            _outbox.Send(peer, new DisconnectMessage(IsAlive: false));
            _outbox.Release(peer);
        }

        Fill(now);
    }

    /// <summary>What this peer says about itself from now on.</summary>
    public void SetOwnData(PeerData? data) => _ownData = data;

    /// <summary>Asks peers to let this one in, and remembers them to ask again.</summary>
    public void Join(TimeSpan now, IEnumerable<EndpointId> peers)
    {
        foreach (EndpointId peer in peers)
        {
            if (peer == _self || !Admits(peer))
                continue;
            // The newest are the likeliest to be there.
            if (_contacts.IsFull && !_contacts.Contains(peer))
                _contacts.Remove(_contacts.All[0]);
            _contacts.Add(peer);
            SendJoin(now, peer);
        }

        WatchIsolation(now);
    }

    /// <summary>Leaves: tells all neighbors, each with some others to fill its place.</summary>
    public void Quit()
    {
        foreach (EndpointId peer in _active.All.ToArray())
        {
            RemoveActive(peer);
            SendDisconnect(peer, isAlive: false);
        }

        // Whoever is about to agree to a request must not keep this peer for a neighbor.
        foreach (EndpointId peer in _requests.TakeOverdue(TimeSpan.MaxValue).Concat(_joins.TakeOverdue(TimeSpan.MaxValue)))
        {
            _outbox.Send(peer, new DisconnectMessage(IsAlive: false));
            _outbox.Release(peer);
        }
    }

    /// <summary>A peer sent something, whatever it was.</summary>
    public void OnHeard(TimeSpan now, EndpointId from) => _probes.OnHeard(now, from);

    public void OnMessage(TimeSpan now, EndpointId from, TopicMessage message)
    {
        if (from == _self)
            return;
        _lost.Remove(from);
        switch (message)
        {
            case JoinMessage join:
                OnJoin(now, from, join.Data);
                break;
            case ForwardJoinMessage forward:
                OnForwardJoin(now, from, forward);
                break;
            case ShuffleMessage shuffle:
                OnShuffle(from, shuffle);
                // Peers begin a walk at their neighbors.
                if (shuffle.Origin == from)
                    OnMessageFromStranger(from, isWanted: true);
                break;
            case ShuffleReplyMessage reply:
                AddPassive(reply.Nodes);
                Fill(now);
                break;
            case NeighborMessage neighbor:
                OnNeighbor(now, from, neighbor);
                break;
            case DisconnectMessage disconnect:
                OnDisconnect(now, from, disconnect.IsAlive);
                return;
        }

        if (!Needs(from))
            _outbox.Release(from);
    }

    /// <summary>
    /// A peer that is no neighbor takes this one for its own, or may not take part: it is told so, once in a while. Views become symmetric again.
    /// </summary>
    public void OnMessageFromStranger(EndpointId from, bool isWanted)
    {
        if (from == _self || Needs(from) || !_told.Add(from))
            return;
        _outbox.Send(from, new DisconnectMessage(isWanted));
        _outbox.Release(from);
    }

    /// <summary>The connection to a peer broke, or none came up.</summary>
    public void OnPeerDisconnected(TimeSpan now, EndpointId peer)
    {
        bool wasAsked = _requests.Remove(peer) | _joins.Remove(peer);
        if (!wasAsked && !_active.Contains(peer))
            return;
        Lose(now, peer);
        Fill(now);
    }

    public void OnTimeout(TimeSpan now)
    {
        List<EndpointId> silent = _requests.TakeOverdue(now);
        silent.AddRange(_joins.TakeOverdue(now));
        // Their connections stay for a while: an answer that comes late, over a relay, is still welcome.
        foreach (EndpointId peer in silent.Where(peer => !_active.Contains(peer)))
            Lose(now, peer);
        List<EndpointId> unanswered = _probes.TakeOverdue(now);
        foreach (EndpointId peer in unanswered)
            GiveUp(now, peer);
        silent.AddRange(unanswered);

        if (_shuffles.DueAt <= now)
            Shuffle(now);
        else if (silent.Count > 0)
        {
            Fill(now);
        }

        if (_rejoinAt <= now)
            Rejoin(now);
    }

    private bool IsInView(EndpointId peer) => Needs(peer) || _passive.Contains(peer) || _lost.Contains(peer);

    private TimeSpan Part(TimeSpan whole, int percentMin, int percentMax) =>
        whole * (percentMin + (int)_random.NextBelow((ulong)(percentMax - percentMin + 1))) / 100;

    private void OnJoin(TimeSpan now, EndpointId from, PeerData? data)
    {
        _directory.Learn(from, data);
        AddActive(now, from);
        SendNeighbor(now, from, NeighborPriority.High);
        foreach (EndpointId peer in _active.All)
        {
            if (peer != from)
                _outbox.Send(peer, new ForwardJoinMessage(_directory.Describe([from], ListLengthMax)[0], _configuration.ActiveRandomWalk));
        }
    }

    private void OnForwardJoin(TimeSpan now, EndpointId from, ForwardJoinMessage message)
    {
        EndpointId joining = message.Peer.Id;
        if (joining == _self || !Admits(joining))
            return;
        // Walks do not become longer than our own, whatever the wire says.
        int walk = Math.Min(message.TimeToLive, _configuration.ActiveRandomWalk);
        EndpointId? next = walk == 0 || _active.Count <= 1 || _active.Contains(joining)
            ? null
            : _active.Pick(_random, peer => peer != from && peer != joining);
        if (next is null)
        {
            // It becomes a neighbor when it answers, so that none is added that cannot be reached.
            _directory.Learn(joining, message.Peer.Data);
            SendNeighbor(now, joining, NeighborPriority.High);
            return;
        }

        if (walk == _configuration.PassiveRandomWalk)
            AddPassive([message.Peer]);
        PeerInfo told = message.Peer.Data is { Length: > PeerDirectory.DataLengthMax } ? message.Peer with { Data = null } : message.Peer;
        _outbox.Send(next.Value, new ForwardJoinMessage(told, walk - 1));
    }

    private void OnNeighbor(TimeSpan now, EndpointId from, NeighborMessage message)
    {
        bool isAnswer = _requests.Remove(from);
        _joins.Remove(from);
        _directory.Learn(from, message.Data);
        if (!_active.Contains(from))
        {
            if (message.Priority == NeighborPriority.Low && _active.IsFull)
            {
                SendDisconnect(from, isAlive: true);
                return;
            }

            AddActive(now, from);
        }

        if (isAnswer)
            return;
        // What comes next is taken for the answer: where it came too late for a request, both would answer each other for ever.
        _requests.Add(from, now + _configuration.NeighborTimeout);
        _outbox.Send(from, new NeighborMessage(message.Priority, _ownData));
    }

    private void OnDisconnect(TimeSpan now, EndpointId from, bool isAlive)
    {
        if (_requests.Remove(from))
            _refused.Add(from);
        _joins.Remove(from);
        bool wasActive = _active.Contains(from);
        if (wasActive)
            RemoveActive(from);
        if (wasActive && !isAlive)
            _shuffles.OnDisturbance(now);
        if (!isAlive)
            _passive.Remove(from);
        else if (wasActive)
            AddPassive(from);
        _outbox.Release(from);
        Fill(now, except: from);
    }

    private void OnShuffle(EndpointId from, ShuffleMessage message)
    {
        int walk = Math.Min(message.TimeToLive, _configuration.ShuffleRandomWalk);
        if (walk == 0 || _active.Count <= 1)
        {
            AddPassive(message.Nodes);
            if (message.Origin != _self && Admits(message.Origin))
            {
                SendShuffleReply(message.Origin, message.Nodes.Length);
                if (message.Origin != from && !Needs(message.Origin))
                    _outbox.Release(message.Origin);
            }
        }
        else if (_active.Pick(_random, peer => peer != from && peer != message.Origin) is { } next)
        {
            _outbox.Send(next, message with { TimeToLive = walk - 1 });
        }
    }

    private void Shuffle(TimeSpan now)
    {
        bool isUnsettled = _shuffles.IsUnsettled;
        _shuffles.OnShuffle(now);
        _refused.Clear();
        _told.Clear();
        if (_active.Pick(_random) is { } target)
        {
            SendShuffle(target, _configuration.ShuffleRandomWalk);
            if (_lost.Next() is { } lost && !_active.Contains(lost) && Admits(lost))
                SendNeighbor(now, lost, NeighborPriority.High);
        }

        if (isUnsettled)
            LookAround(now);
        Fill(now);
    }

    /// <summary>
    /// While peers come and go: asks neighbors that are silent whether they are there, or all of them where nobody else is known, and takes in a
    /// remembered peer.
    /// </summary>
    private void LookAround(TimeSpan now)
    {
        foreach (EndpointId peer in _active.All)
        {
            if ((_probes.IsSilent(now, peer) || _passive.Count == 0) && _probes.Ask(now, peer))
                SendShuffle(peer, walk: 0);
        }

        if (_active.Count > 0 && _passive.Pick(_random, Admits) is { } remembered)
            SendNeighbor(now, remembered, NeighborPriority.High);
    }

    private void SendShuffle(EndpointId target, int walk)
    {
        IEnumerable<EndpointId> told =
        [
            .. _active.Sample(_random, _configuration.ShuffleActiveCount, target),
            .. _passive.Sample(_random, _configuration.ShufflePassiveCount, target),
        ];
        int ownLength = EndpointId.Length + 3 + (_ownData?.Length ?? 0);
        ImmutableArray<PeerInfo> nodes = [.. _directory.Describe(told, ListLengthMax - ownLength), new PeerInfo(_self, _ownData)];
        _outbox.Send(target, new ShuffleMessage(_self, nodes, walk));
    }

    /// <summary>Without a neighbor: asks again those by whom the topic was entered, and one that was lost.</summary>
    private void Rejoin(TimeSpan now)
    {
        _rejoinAt = null;
        if (_active.Count > 0)
            return;
        foreach (EndpointId peer in _contacts.Sample(_random, RejoinsAtOnce))
            SendJoin(now, peer);
        if (_lost.Next() is { } lost && Admits(lost))
            SendNeighbor(now, lost, NeighborPriority.High);
        _rejoinDelay = TimeSpan.FromTicks(Math.Min(_rejoinDelay.Ticks * 2, _configuration.ShuffleInterval.Ticks));
        WatchIsolation(now);
    }

    private void WatchIsolation(TimeSpan now)
    {
        if (_active.Count == 0 && _rejoinAt is null && (_contacts.Count > 0 || _lost.Count > 0))
            _rejoinAt = now + Part(_rejoinDelay, 75, 125);
    }

    private void Fill(TimeSpan now, EndpointId? except = null)
    {
        while (_active.Count + _requests.Count < _configuration.ActiveViewCapacity)
        {
            bool isUrgent = _active.Count == 0 && _requests.Count == 0;
            if (!isUrgent && _refused.Count >= RefusalsMax)
                break;
            if (_passive.Pick(_random, peer => peer != except && !_requests.Contains(peer) && (isUrgent || !_refused.Contains(peer)) && Admits(peer)) is not { } peer)
                break;
            SendNeighbor(now, peer, isUrgent ? NeighborPriority.High : NeighborPriority.Low);
        }

        WatchIsolation(now);
    }

    private void AddActive(TimeSpan now, EndpointId peer)
    {
        if (_active.Contains(peer))
            return;
        if (_active.IsFull)
        {
            EndpointId evicted = _active.Pick(_random)!.Value;
            RemoveActive(evicted);
            SendDisconnect(evicted, isAlive: true);
            AddPassive(evicted);
        }

        _passive.Remove(peer);
        _refused.Remove(peer);
        _told.Remove(peer);
        if (_passive.Count == 0)
            _shuffles.OnFirstNeighbor(now);
        _active.Add(peer);
        _probes.OnNeighborUp(now, peer);
        _rejoinAt = null;
        _rejoinDelay = _configuration.RejoinDelay;
        _listener.OnNeighborUp(now, peer);
    }

    private void RemoveActive(EndpointId peer)
    {
        _active.Remove(peer);
        _probes.OnNeighborDown(peer);
        _listener.OnNeighborDown(peer);
    }

    /// <summary>A peer is gone without a word.</summary>
    private void Lose(TimeSpan now, EndpointId peer)
    {
        if (_active.Contains(peer))
        {
            RemoveActive(peer);
            _shuffles.OnDisturbance(now);
        }

        _passive.Remove(peer);
        _lost.Add(peer);
    }

    /// <summary>A neighbor gave no sign of life although its connection seems to last. If it is only slow, it hears that it is no neighbor now.</summary>
    private void GiveUp(TimeSpan now, EndpointId peer)
    {
        // One that was asked to be a neighbor anew would take that for the answer.
        if (_requests.Contains(peer) || _joins.Contains(peer))
            return;
        Lose(now, peer);
        _outbox.Send(peer, new DisconnectMessage(IsAlive: true));
        _outbox.Release(peer);
    }

    private void AddPassive(ImmutableArray<PeerInfo> peers)
    {
        foreach (PeerInfo peer in peers)
        {
            if (peer.Id == _self || !Admits(peer.Id))
                continue;
            AddPassive(peer.Id);
            _directory.Learn(peer.Id, peer.Data);
        }
    }

    private void AddPassive(EndpointId peer)
    {
        if (_active.Contains(peer) || _passive.Contains(peer))
            return;
        if (_passive.IsFull)
            _passive.Remove(_passive.Pick(_random)!.Value);
        _passive.Add(peer);
    }

    private int ListLengthMax => _configuration.MessageSizeMax - ListOverhead;

    private void SendJoin(TimeSpan now, EndpointId peer)
    {
        if (!_active.Contains(peer) && Admits(peer) && _joins.Add(peer, now + _configuration.NeighborTimeout))
            _outbox.Send(peer, new JoinMessage(_ownData));
    }

    private void SendNeighbor(TimeSpan now, EndpointId peer, NeighborPriority priority)
    {
        if (_requests.Add(peer, now + _configuration.NeighborTimeout))
            _outbox.Send(peer, new NeighborMessage(priority, _ownData));
    }

    /// <summary>Sends a peer away, but not without others to turn to.</summary>
    private void SendDisconnect(EndpointId peer, bool isAlive)
    {
        SendShuffleReply(peer, _configuration.ShuffleActiveCount + _configuration.ShufflePassiveCount);
        _outbox.Send(peer, new DisconnectMessage(isAlive));
        _outbox.Release(peer);
    }

    private void SendShuffleReply(EndpointId peer, int count)
    {
        count = Math.Min(count, _configuration.PassiveViewCapacity);
        // Remembered peers may be gone; neighbors are there.
        List<EndpointId> nodes = _active.Sample(_random, Math.Min(count, _configuration.ShuffleActiveCount), peer);
        nodes.AddRange(_passive.Sample(_random, count - nodes.Count, peer));
        _outbox.Send(peer, new ShuffleReplyMessage(_directory.Describe(nodes, ListLengthMax)));
    }
}
