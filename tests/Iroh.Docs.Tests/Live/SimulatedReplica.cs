using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Gossip;
using Iroh.Gossip.Simulation;

namespace Iroh.Docs.Live;

/// <summary>
/// A replica of one document in a <see cref="SimulatedNetwork"/>: entries are a number per author and key, gossip carries them as text, a sync
/// takes some round trips. What is real is the gossip, the decisions of <see cref="LiveState"/>, and the rule who may sync.
/// </summary>
internal sealed class SimulatedReplica
{
    private static readonly TimeSpan s_syncTime = TimeSpan.FromMilliseconds(120);
    private static readonly TimeSpan s_dialTimeout = TimeSpan.FromSeconds(3);

    private readonly SimulatedNetwork _network;
    private readonly List<SimulatedReplica> _all;
    private readonly HashSet<EndpointId> _dialling = [];
    private readonly HashSet<EndpointId> _accepting = [];
    private TimeSpan _timerAt = TimeSpan.MaxValue;

    public SimulatedReplica(SimulatedNetwork network, List<SimulatedReplica> all)
    {
        (_network, _all) = (network, all);
        Peer = network.Add();
        all.Add(this);
        State = new LiveState(network.Now, new LiveConfiguration(), new SeededRandomSource(network.Seed + (ulong)all.Count));
        Peer.OnEvent = OnEvent;
        Settle();
    }

    public SimulatedPeer Peer { get; }

    public LiveState State { get; }

    /// <summary>By author and key.</summary>
    public Dictionary<string, ulong> Entries { get; } = [];

    public int Syncs { get; private set; }

    /// <summary>Gossip messages about entries that are dropped at this replica, of a hundred.</summary>
    public int DropsPutsPercent { get; set; }

    private ulong Newest => Entries.Values.DefaultIfEmpty().Max();

    public void Write(string key, ulong timestamp)
    {
        Entries[key] = timestamp;
        _network.Broadcast(Peer, System.Text.Encoding.UTF8.GetBytes($"put {key} {timestamp}"), GossipScope.Swarm);
    }

    private void OnEvent(GossipEvent gossipEvent)
    {
        switch (gossipEvent)
        {
            case NeighborUp up:
                State.OnNeighborUp(up.Peer);
                break;
            case NeighborDown down:
                State.OnNeighborDown(down.Peer);
                break;
            case MessageReceived received:
                OnMessage(received.DeliveredFrom, System.Text.Encoding.UTF8.GetString(received.Content.Span).Split(' '));
                break;
        }

        // Gossip is in the middle of something of its own.
        _network.After(TimeSpan.Zero, Settle);
    }

    private void OnMessage(EndpointId from, string[] words)
    {
        if (words[0] == "put" && _network.Pick(100) >= DropsPutsPercent)
            Merge(words[1], ulong.Parse(words[2]));
        else if (words[0] == "heads" && ulong.Parse(words[1]) > Newest)
            State.OnNews(from);
    }

    private bool Merge(string key, ulong timestamp)
    {
        if (Entries.GetValueOrDefault(key) >= timestamp)
            return false;
        Entries[key] = timestamp;
        return true;
    }

    private void Settle()
    {
        if (!Peer.IsLive)
            return;
        while (State.TryGetOutput(out LiveOutput? output))
        {
            if (output is LiveOutput.Dial dial)
                Dial(dial.Peer);
            else
                _network.Broadcast(Peer, System.Text.Encoding.UTF8.GetBytes($"heads {Newest}"), GossipScope.Neighbors);
        }

        TimeSpan next = State.NextTimeout;
        if (next >= _timerAt)
            return;
        _timerAt = next;
        _network.After(next - _network.Now, () =>
        {
            if (_timerAt != next)
                return;
            _timerAt = TimeSpan.MaxValue;
            State.OnTimeout(_network.Now);
            Settle();
        });
    }

    private void Dial(EndpointId id)
    {
        Syncs++;
        Assert.True(_dialling.Add(id), $"seed {_network.Seed}: dialled twice");
        if (_accepting.Contains(id))
        {
            Finish(id, SyncEnd.Busy, 0, TimeSpan.Zero);
            return;
        }

        _network.After(s_syncTime / 4, () =>
        {
            SimulatedReplica other = _all.First(replica => replica.Peer.Id == id);
            if (!other.Peer.IsLive || _network.IsCut(Peer.Id, id))
                Finish(id, SyncEnd.Failed, 0, s_dialTimeout);
            else if (!other.TryAccept(Peer.Id))
                Finish(id, SyncEnd.Busy, 0, s_syncTime / 4);
            else
                _network.After(s_syncTime, () => Exchange(other));
        });
    }

    private bool TryAccept(EndpointId id) => (!_dialling.Contains(id) || Peer.Id.CompareTo(id) > 0) && _accepting.Add(id);

    private void Exchange(SimulatedReplica other)
    {
        bool isBroken = !Peer.IsLive || !other.Peer.IsLive || _network.IsCut(Peer.Id, other.Peer.Id);
        int here = 0, there = 0;
        if (!isBroken)
        {
            KeyValuePair<string, ulong>[] own = [.. Entries];
            here = other.Entries.ToArray().Count(entry => Merge(entry.Key, entry.Value));
            there = own.Count(entry => other.Merge(entry.Key, entry.Value));
        }

        SyncEnd end = isBroken ? SyncEnd.Failed : SyncEnd.Complete;
        other._accepting.Remove(Peer.Id);
        other.State.OnSynced(_network.Now, Peer.Id, isOwnDial: false, end, there);
        other.Settle();
        Finish(other.Peer.Id, end, here, TimeSpan.Zero);
    }

    private void Finish(EndpointId id, SyncEnd end, long received, TimeSpan after) => _network.After(after, () =>
    {
        _dialling.Remove(id);
        State.OnSynced(_network.Now, id, isOwnDial: true, end, received);
        Settle();
    });
}
