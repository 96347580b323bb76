using System.Diagnostics.CodeAnalysis;
using Iroh.Base;
using Iroh.Cryptography;

namespace Iroh.Docs.Live;

/// <summary>
/// When one document is synced with whom between its replicas' gossip, without I/O: with every new neighbor, with those that have news, again
/// where it failed, and now and then with anybody. Never twice at once with one peer. One owner, not thread-safe.
/// </summary>
/// <remarks>
/// A peer is <c>idle</c>, <c>dialled</c> (an output was given and its end has not been told) or, beside both, <c>due</c> at a time.
/// </remarks>
internal sealed class LiveState
{
    /// <summary>Peers that are followed: neighbors, and those that were dialled. Beyond, only neighbors are.</summary>
    public const int PeersMax = 64;

    private readonly LiveConfiguration _configuration;
    private readonly RandomSource _random;
    private readonly SortedDictionary<EndpointId, Peer> _peers = [];
    private readonly Queue<LiveOutput> _outputs = new();
    private TimeSpan _repairAt;

    public LiveState(TimeSpan now, LiveConfiguration configuration, RandomSource random)
    {
        (_configuration, _random) = (configuration, random);
        PlanRepair(now);
    }

    /// <summary>When <see cref="OnTimeout"/> is to be called.</summary>
    public TimeSpan NextTimeout => _peers.Values.Select(peer => peer.DueAt ?? TimeSpan.MaxValue).Append(_repairAt).Min();

    /// <summary>The peers that messages are exchanged with.</summary>
    public IEnumerable<EndpointId> Neighbors => _peers.Where(peer => peer.Value.IsNeighbor).Select(peer => peer.Key);

    /// <summary>How many peers are followed.</summary>
    public int PeerCount => _peers.Count;

    /// <summary>Takes the next thing to do.</summary>
    public bool TryGetOutput([NotNullWhen(true)] out LiveOutput? output) => _outputs.TryDequeue(out output);

    public void OnNeighborUp(EndpointId id)
    {
        Peer peer = FindOrAdd(id);
        (peer.IsNeighbor, peer.Failures) = (true, 0);
        Dial(id, peer);
    }

    public void OnNeighborDown(EndpointId id)
    {
        if (!_peers.TryGetValue(id, out Peer? peer))
            return;
        (peer.IsNeighbor, peer.DueAt, peer.HasNews) = (false, null, false);
        ForgetIfIdle(id, peer);
    }

    /// <summary>A peer has entries that are not here.</summary>
    public void OnNews(EndpointId id)
    {
        if (_peers.Count >= PeersMax && !_peers.ContainsKey(id))
            return;
        Peer peer = FindOrAdd(id);
        peer.HasNews = true;
        Dial(id, peer);
    }

    /// <summary>A sync has ended, whoever dialled and whyever.</summary>
    /// <param name="now">The present time.</param>
    /// <param name="id">With whom.</param>
    /// <param name="isOwnDial">Whether it was an output of this state.</param>
    /// <param name="end">How it ended.</param>
    /// <param name="received">How many entries came.</param>
    public void OnSynced(TimeSpan now, EndpointId id, bool isOwnDial, SyncEnd end, long received)
    {
        if (received > 0)
            _outputs.Enqueue(new LiveOutput.SendHeads());
        if (!_peers.TryGetValue(id, out Peer? peer))
            return;
        if (isOwnDial)
            peer.IsDialled = false;
        switch (end)
        {
            case SyncEnd.Complete or SyncEnd.Incomplete:
                peer.Failures = 0;
                // News that came while a sync ran may have been too late for it.
                if (end == SyncEnd.Incomplete || peer.HasNews)
                    Dial(id, peer);
                else
                    peer.DueAt = null;
                break;
            case SyncEnd.Busy when isOwnDial && (peer.HasNewsBefore || peer.HasNews):
                (peer.HasNews, peer.DueAt) = (true, now + _configuration.BusyDelay);
                break;
            case SyncEnd.Failed when peer.IsNeighbor && !peer.IsDialled:
                peer.DueAt = now + RetryDelay(peer.Failures++);
                break;
        }

        ForgetIfIdle(id, peer);
    }

    /// <summary>Does what has become due.</summary>
    public void OnTimeout(TimeSpan now)
    {
        foreach ((EndpointId id, Peer peer) in _peers)
        {
            if (peer.DueAt <= now)
                Dial(id, peer);
        }

        if (_repairAt > now)
            return;
        PlanRepair(now);
        EndpointId[] neighbors = [.. Neighbors];
        if (neighbors.Length > 0)
        {
            EndpointId id = neighbors[_random.NextBelow((ulong)neighbors.Length)];
            Dial(id, _peers[id]);
        }
    }

    private void PlanRepair(TimeSpan now) => _repairAt = now + (_configuration.RepairInterval * (75 + (int)_random.NextBelow(51)) / 100);

    private TimeSpan RetryDelay(int failures)
    {
        TimeSpan delay = _configuration.RetryDelay * Math.Pow(2, Math.Min(failures, 10));
        return delay < _configuration.RetryDelayMax ? delay : _configuration.RetryDelayMax;
    }

    private void Dial(EndpointId id, Peer peer)
    {
        if (peer.IsDialled)
            return;
        (peer.IsDialled, peer.DueAt) = (true, null);
        (peer.HasNewsBefore, peer.HasNews) = (peer.HasNews, false);
        _outputs.Enqueue(new LiveOutput.Dial(id));
    }

    private Peer FindOrAdd(EndpointId id)
    {
        if (!_peers.TryGetValue(id, out Peer? peer))
            _peers.Add(id, peer = new Peer());
        return peer;
    }

    private void ForgetIfIdle(EndpointId id, Peer peer)
    {
        if (!peer.IsNeighbor && !peer.IsDialled && peer.DueAt is null)
            _peers.Remove(id);
    }

    private sealed class Peer
    {
        public bool IsNeighbor { get; set; }

        public bool IsDialled { get; set; }

        /// <summary>Whether it told of news since the dial that is under way began.</summary>
        public bool HasNews { get; set; }

        /// <summary>Whether it had told of news before that dial.</summary>
        public bool HasNewsBefore { get; set; }

        public int Failures { get; set; }

        public TimeSpan? DueAt { get; set; }
    }
}
