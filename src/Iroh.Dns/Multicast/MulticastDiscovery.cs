using System.Diagnostics.CodeAnalysis;
using Iroh.Base;
using Iroh.Cryptography;

namespace Iroh.Dns.Multicast;

/// <summary>
/// Decides when to ask and to answer on a link, and remembers who was heard. It answers iroh's queries often enough for iroh to
/// keep this endpoint in its list, but asks by itself only while somebody looks for an endpoint, less and less often. No I/O: time
/// comes in as the time since any fixed origin; after every input drain <see cref="TryGetTransmit"/> and
/// <see cref="TryGetChange"/>. One owner; not thread-safe.
/// </summary>
public sealed class MulticastDiscovery
{
    /// <summary>The most endpoints remembered: more than a link has, and a flood of invented ones stays below 4 MiB.</summary>
    public const int PeersMax = 1024;

    /// <summary>The most endpoints looked for at once; more find a place as soon as others are found or given up.</summary>
    public const int SoughtMax = 256;

    /// <summary>The most packets taken in a second, with twice as many in a burst: a thousand iroh endpoints send less.</summary>
    public const int PacketsPerSecondMax = 200;

    /// <summary>How long an endpoint is remembered after it was last heard: the usual lifetime of host records (RFC 6762 §10).</summary>
    public static readonly TimeSpan PeerLifetime = TimeSpan.FromSeconds(120);

    /// <summary>The shortest time between two announcements, and between two queries: whatever others send, this end sends 4 packets a second at most.</summary>
    public static readonly TimeSpan SendIntervalMin = TimeSpan.FromMilliseconds(500);

    // RFC 6762 §6: answers of several hosts to one query are spread over this time.
    private static readonly TimeSpan s_answerDelayMin = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_answerDelaySpread = TimeSpan.FromMilliseconds(100);

    // iroh asks again after 0.7 s: a later answer would be one to the next query.
    private static readonly TimeSpan s_answerDelayMax = TimeSpan.FromMilliseconds(500);

    // RFC 6762 §8.3: a change is announced twice, a second apart.
    private static readonly TimeSpan s_announcementRepeat = TimeSpan.FromSeconds(1);

    // Searches double their interval from the first to the second value.
    private static readonly TimeSpan s_searchIntervalMin = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_searchIntervalMax = TimeSpan.FromSeconds(60);

    // iroh keeps silent once two others have answered.
    private const int AnswersEnough = 2;

    private readonly EndpointId _own;
    private readonly RandomSource _random;
    private readonly Dictionary<EndpointId, Peer> _peers = [];
    private readonly Dictionary<EndpointId, Search> _searches = [];
    private readonly Queue<MulticastChange> _changes = [];
    private byte[]? _announcement;
    private int _announcementsLeft;
    private TimeSpan? _announceAt, _answerAt;
    private bool _mustAnswer;
    private int _answersHeard;
    private TimeSpan _lastAnnouncementAt = TimeSpan.MinValue, _lastQueryAt = TimeSpan.MinValue;
    private double _packetsLeft = 2 * PacketsPerSecondMax;
    private TimeSpan _packetsCountedAt;

    /// <summary>Starts with nothing to announce and nobody known.</summary>
    /// <param name="own">This endpoint, whose announcements are its own.</param>
    /// <param name="random">Spreads answers.</param>
    public MulticastDiscovery(EndpointId own, RandomSource random)
    {
        _own = own;
        _random = random;
    }

    /// <summary>When the next thing is due; null if nothing is.</summary>
    public TimeSpan? NextTimeout
    {
        get
        {
            TimeSpan? next = Earlier(DueAnnouncement(), DueQuery());
            foreach (Peer peer in _peers.Values)
                next = Earlier(next, peer.ExpiresAt);
            return next;
        }
    }

    /// <summary>The number of endpoints remembered.</summary>
    public int PeerCount => _peers.Count;

    /// <summary>Announces this record from now on, if it can be dialled on the link; null stops.</summary>
    public void SetOwn(TimeSpan now, EndpointRecord? record)
    {
        byte[]? announcement = record is null ? null : MulticastMessage.Announcement(record);
        bool isSame = announcement is not null && _announcement is not null && announcement.AsSpan().SequenceEqual(_announcement);
        _announcement = announcement;
        if (isSame)
            return;
        _announcementsLeft = announcement is null ? 0 : 2;
        _announceAt = announcement is null ? null : now + Spread(s_answerDelaySpread);
        if (announcement is null)
            _answerAt = null;
    }

    /// <summary>What was last heard of an endpoint; null if nothing was.</summary>
    public EndpointRecord? Find(EndpointId id) => _peers.TryGetValue(id, out Peer? peer) ? peer.Record : null;

    /// <summary>Starts to ask for an endpoint, at once and then less and less often, until <see cref="Unseek"/>. Counts calls.</summary>
    /// <returns>False if too many are looked for already.</returns>
    public bool Seek(TimeSpan now, EndpointId id)
    {
        if (_searches.TryGetValue(id, out Search? search))
        {
            search.Seekers++;
            search.NextAt = now;
            search.Interval = s_searchIntervalMin;
            return true;
        }

        if (_searches.Count >= SoughtMax)
            return false;
        _searches.Add(id, new Search { Seekers = 1, NextAt = now, Interval = s_searchIntervalMin });
        return true;
    }

    /// <summary>Takes one <see cref="Seek"/> back.</summary>
    public void Unseek(EndpointId id)
    {
        if (_searches.TryGetValue(id, out Search? search) && --search.Seekers == 0)
            _searches.Remove(id);
    }

    /// <summary>Takes in a packet of the group; those of this end, which the group gives back, may be among them.</summary>
    public void HandlePacket(TimeSpan now, ReadOnlySpan<byte> packet)
    {
        if (!TakePacket(now) || !MulticastMessage.TryRead(packet, out MulticastMessage? message))
            return;
        if (_announcement is not null && message.AskedIds.Contains(_own))
        {
            _answerAt = Earlier(_answerAt, now + s_answerDelayMin);
            _mustAnswer = true;
        }
        else if (_announcement is not null && message.AsksAll && _answerAt is null)
        {
            // The more there are, the wider they spread, so that two of them answer before the others.
            TimeSpan spread = Min(s_answerDelaySpread * Math.Max(1, (_peers.Count + 1) / AnswersEnough), s_answerDelayMax);
            _answerAt = now + s_answerDelayMin + Spread(spread);
            _mustAnswer = false;
            _answersHeard = 0;
        }

        foreach (EndpointRecord record in message.Announced)
            OnAnnounced(now, record);
        foreach (EndpointId id in message.Leaving)
        {
            if (_peers.Remove(id))
                _changes.Enqueue(new MulticastChange(id, null));
        }
    }

    /// <summary>Forgets who was not heard for long.</summary>
    public void HandleTimeout(TimeSpan now)
    {
        foreach ((EndpointId id, Peer peer) in _peers)
        {
            if (peer.ExpiresAt <= now && _peers.Remove(id))
                _changes.Enqueue(new MulticastChange(id, null));
        }
    }

    /// <summary>The next packet to send to the group on every interface.</summary>
    public bool TryGetTransmit(TimeSpan now, [NotNullWhen(true)] out byte[]? packet)
    {
        packet = null;
        if (DueAnnouncement() <= now)
        {
            _lastAnnouncementAt = now;
            _answerAt = null;
            if (_announceAt <= now)
                _announceAt = --_announcementsLeft > 0 ? now + s_announcementRepeat : null;
            packet = _announcement!;
        }
        else if (DueQuery() <= now)
        {
            _lastQueryAt = now;
            packet = MulticastMessage.Query(TakeDueSearches(now));
        }

        return packet is not null;
    }

    /// <summary>The next thing to tell.</summary>
    public bool TryGetChange(out MulticastChange change) => _changes.TryDequeue(out change);

    private static TimeSpan? Earlier(TimeSpan? left, TimeSpan? right) => left is null || right < left ? right : left;

    private static TimeSpan Min(TimeSpan left, TimeSpan right) => left < right ? left : right;

    private static TimeSpan AfterInterval(TimeSpan due, TimeSpan last) =>
        last == TimeSpan.MinValue || due - last >= SendIntervalMin ? due : last + SendIntervalMin;

    private TimeSpan? DueAnnouncement() => Earlier(_announceAt, _answerAt) is { } due ? AfterInterval(due, _lastAnnouncementAt) : null;

    private TimeSpan? DueQuery()
    {
        TimeSpan? due = null;
        foreach (Search search in _searches.Values)
            due = Earlier(due, search.NextAt);
        return due is { } at ? AfterInterval(at, _lastQueryAt) : null;
    }

    /// <summary>The searches that are due for longest, as many as fit into one query; each waits twice as long for its next turn.</summary>
    private List<EndpointId> TakeDueSearches(TimeSpan now)
    {
        var ids = new List<EndpointId>();
        foreach ((EndpointId id, Search search) in _searches.OrderBy(search => search.Value.NextAt).Take(MulticastMessage.QueriedIdsMax))
        {
            if (search.NextAt > now)
                break;
            ids.Add(id);
            search.NextAt = now + search.Interval;
            search.Interval = Min(search.Interval * 2, s_searchIntervalMax);
        }

        return ids;
    }

    private void OnAnnounced(TimeSpan now, EndpointRecord record)
    {
        if (record.Id == _own)
            return;
        if (_answerAt is not null && !_mustAnswer && ++_answersHeard >= AnswersEnough)
            _answerAt = null;
        if (_peers.TryGetValue(record.Id, out Peer? peer))
        {
            peer.ExpiresAt = now + PeerLifetime;
            if (peer.Record.Equals(record))
                return;
            peer.Record = record;
        }
        else
        {
            if (_peers.Count >= PeersMax && !TryMakeRoom())
                return;
            _peers.Add(record.Id, new Peer { Record = record, ExpiresAt = now + PeerLifetime });
        }

        _changes.Enqueue(new MulticastChange(record.Id, record));
    }

    /// <summary>Forgets whoever was not heard for longest and is not looked for.</summary>
    private bool TryMakeRoom()
    {
        EndpointId? oldest = null;
        TimeSpan oldestAt = TimeSpan.MaxValue;
        foreach ((EndpointId id, Peer peer) in _peers)
        {
            if (peer.ExpiresAt < oldestAt && !_searches.ContainsKey(id))
                (oldest, oldestAt) = (id, peer.ExpiresAt);
        }

        if (oldest is not { } forgotten)
            return false;
        _peers.Remove(forgotten);
        _changes.Enqueue(new MulticastChange(forgotten, null));
        return true;
    }

    private bool TakePacket(TimeSpan now)
    {
        double elapsed = Math.Max(0, (now - _packetsCountedAt).TotalSeconds);
        _packetsLeft = Math.Min(2 * PacketsPerSecondMax, _packetsLeft + (elapsed * PacketsPerSecondMax));
        _packetsCountedAt = now;
        if (_packetsLeft < 1)
            return false;
        _packetsLeft--;
        return true;
    }

    private TimeSpan Spread(TimeSpan range) => TimeSpan.FromTicks((long)_random.NextBelow((ulong)range.Ticks));

    private sealed class Peer
    {
        public required EndpointRecord Record { get; set; }

        public required TimeSpan ExpiresAt { get; set; }
    }

    private sealed class Search
    {
        public required int Seekers { get; set; }

        public required TimeSpan NextAt { get; set; }

        public required TimeSpan Interval { get; set; }
    }
}
