using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Gossip.Messages;

namespace Iroh.Gossip.Simulation;

/// <summary>
/// Peers with virtual time over a network whose connections are ordered. Frames may get lost, the network may be cut in two, and peers may
/// die without a word. One seed replays a run.
/// </summary>
internal sealed class SimulatedNetwork
{
    public static readonly TopicId Topic = TopicId.FromName("simulation");

    private static readonly TimeSpan s_dialTimeout = TimeSpan.FromSeconds(3);

    private readonly SeededRandomSource _random;
    private readonly PriorityQueue<Action, (TimeSpan At, long Order)> _events = new();
    private readonly Dictionary<(EndpointId, EndpointId), Connection> _connections = [];
    private readonly Dictionary<EndpointId, SimulatedPeer> _byId = [];
    private long _order;

    public SimulatedNetwork(ulong seed, GossipConfiguration? configuration = null)
    {
        Seed = seed;
        Configuration = configuration ?? new GossipConfiguration();
        _random = new SeededRandomSource(seed);
    }

    public ulong Seed { get; }

    public GossipConfiguration Configuration { get; }

    public TimeSpan Now { get; private set; }

    public List<SimulatedPeer> Peers { get; } = [];

    public IEnumerable<SimulatedPeer> Live => Peers.Where(peer => peer.IsLive);

    /// <summary>The part of frames that get lost, 0 to 1.</summary>
    public double Loss { get; set; }

    /// <summary>How long it takes the others to notice that a peer is dead, or cut off. A connection lasts on for half a minute where a machine is gone.</summary>
    public TimeSpan SilenceNoticed { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Whether frames go through the codec.</summary>
    public bool Encodes { get; set; }

    /// <summary>Peers on the one side of a cut; null while there is none.</summary>
    public HashSet<EndpointId>? Cut { get; private set; }

    public long Frames { get; private set; }

    public long Payloads { get; private set; }

    public int Pick(int count) => (int)_random.NextBelow((ulong)count);

    public SimulatedPeer Add()
    {
        byte[] seed = new byte[32];
        _random.Fill(seed);
        var peer = new SimulatedPeer(SecretKey.FromBytes(seed).PublicKey, new GossipState(SecretKey.FromBytes(seed).PublicKey, Configuration, new SeededRandomSource(_random.NextUInt64())));
        Peers.Add(peer);
        _byId.Add(peer.Id, peer);
        return peer;
    }

    public void Join(SimulatedPeer peer, params IEnumerable<SimulatedPeer> by)
    {
        peer.JoinedAt = Now;
        peer.State.Join(Now, Topic, by.Select(other => other.Id));
        Settle(peer);
    }

    /// <summary>A swarm in which everybody joined by a random one that was there before, one every 50 ms.</summary>
    public void Grow(int count)
    {
        for (int i = 0; i < count; i++)
        {
            SimulatedPeer peer = Add();
            SimulatedPeer[] there = [.. Live.Where(other => other != peer)];
            if (there.Length == 0)
                Join(peer);
            else
                Join(peer, there[Pick(there.Length)]);
            Run(TimeSpan.FromMilliseconds(50));
        }
    }

    public void Broadcast(SimulatedPeer peer, string text) => Broadcast(peer, System.Text.Encoding.UTF8.GetBytes(text), GossipScope.Swarm);

    public void Broadcast(SimulatedPeer peer, byte[] content, GossipScope scope)
    {
        peer.State.Broadcast(Now, Topic, content, scope);
        Settle(peer);
    }

    public void Leave(SimulatedPeer peer)
    {
        peer.State.Quit(Topic);
        Settle(peer);
        peer.IsLive = false;
    }

    /// <summary>A peer dies; the others notice after a while.</summary>
    public void Kill(SimulatedPeer peer)
    {
        peer.IsLive = false;
        foreach (((EndpointId a, EndpointId b), Connection connection) in _connections.ToArray())
        {
            if (a == peer.Id || b == peer.Id)
                Break(a, b, connection, SilenceNoticed);
        }
    }

    /// <summary>Cuts the network; connections across it break after a while.</summary>
    public void CutOff(IEnumerable<SimulatedPeer> side)
    {
        Cut = [.. side.Select(peer => peer.Id)];
        foreach (((EndpointId a, EndpointId b), Connection connection) in _connections.ToArray())
        {
            if (IsCut(a, b))
                Break(a, b, connection, SilenceNoticed);
        }
    }

    public void Heal() => Cut = null;

    public void Run(TimeSpan duration)
    {
        TimeSpan end = Now + duration;
        while (_events.TryPeek(out _, out (TimeSpan At, long) due) && due.At <= end)
        {
            Action action = _events.Dequeue();
            Now = due.At;
            action();
        }

        Now = end;
    }

    /// <summary>Does what a peer's state wants, and sets its timer.</summary>
    private void Settle(SimulatedPeer peer)
    {
        while (peer.State.TryGetOutput(out GossipOutput? output))
        {
            switch (output)
            {
                case SendMessage send:
                    Send(peer, send.Peer, send.Message);
                    break;
                case ClosePeer close when _connections.TryGetValue(Pair(peer.Id, close.Peer), out Connection? connection):
                    Close(peer.Id, close.Peer, connection);
                    break;
                case RaiseEvent raised:
                    peer.Events.Add(raised.Event);
                    peer.OnEvent?.Invoke(raised.Event);
                    break;
            }
        }

        if (peer.State.NextTimeout is not { } next || next >= peer.TimerAt)
            return;
        peer.TimerAt = next;
        Schedule(next, () =>
        {
            if (peer.TimerAt != next)
                return;
            peer.TimerAt = TimeSpan.MaxValue;
            if (!peer.IsLive)
                return;
            peer.State.OnTimeout(Now);
            Settle(peer);
        });
    }

    private void Send(SimulatedPeer from, EndpointId to, TopicMessage message)
    {
        Frames++;
        if (message is PayloadMessage)
            Payloads++;
        byte[] bytes = Encodes ? TopicMessageCodec.Encode(message) : [];
        if (bytes.Length >= Configuration.MessageSizeMax)
            throw new InvalidOperationException($"seed {Seed}: a frame of {bytes.Length} bytes: {message}");
        (EndpointId, EndpointId) pair = Pair(from.Id, to);
        if (!_connections.TryGetValue(pair, out Connection? connection))
        {
            if (Find(to) is not { IsLive: true } || IsCut(from.Id, to))
            {
                After(s_dialTimeout, () => Disconnected(from.Id, to));
                return;
            }

            connection = new Connection { Latency = TimeSpan.FromMilliseconds(2 + Pick(40)) };
            connection.IdleAt = Now + (2 * connection.Latency);
            _connections.Add(pair, connection);
        }

        bool isLost = _random.NextBelow(1_000_000) < Loss * 1_000_000;
        TimeSpan arrival = Later(connection.IdleAt, Now) + connection.Latency;
        connection.IdleAt = Later(connection.IdleAt, Now);
        Schedule(arrival, () =>
        {
            if (isLost || connection.IsBroken || Find(to) is not { IsLive: true } receiver)
                return;
            TopicMessage? read = message;
            if (Encodes && !TopicMessageCodec.TryRead(bytes, out read))
                throw new InvalidOperationException($"seed {Seed}: cannot read {message}");
            receiver.State.OnMessage(Now, from.Id, Topic, read!);
            Settle(receiver);
        });
    }

    /// <summary>One end closes: what it sent arrives, and then the other hears of it; what is under way to it is lost.</summary>
    private void Close(EndpointId closer, EndpointId other, Connection connection)
    {
        _connections.Remove(Pair(closer, other));
        Schedule(Later(connection.IdleAt, Now) + connection.Latency, () =>
        {
            connection.IsBroken = true;
            if (!_connections.ContainsKey(Pair(closer, other)))
                Disconnected(other, closer);
        });
    }

    private void Break(EndpointId a, EndpointId b, Connection connection, TimeSpan noticed)
    {
        connection.IsBroken = true;
        After(noticed, () =>
        {
            if (_connections.GetValueOrDefault(Pair(a, b)) == connection)
                _connections.Remove(Pair(a, b));
            Disconnected(a, b);
            Disconnected(b, a);
        });
    }

    private void Disconnected(EndpointId at, EndpointId other)
    {
        if (Find(at) is not { IsLive: true } peer)
            return;
        peer.State.OnPeerDisconnected(Now, other);
        Settle(peer);
    }

    public SimulatedPeer? Find(EndpointId id) => _byId.GetValueOrDefault(id);

    public bool IsCut(EndpointId a, EndpointId b) => Cut is not null && Cut.Contains(a) != Cut.Contains(b);

    public void After(TimeSpan delay, Action action) => Schedule(Now + delay, action);

    private void Schedule(TimeSpan at, Action action) => _events.Enqueue(action, (at, _order++));

    private static TimeSpan Later(TimeSpan a, TimeSpan b) => a > b ? a : b;

    private static (EndpointId, EndpointId) Pair(EndpointId a, EndpointId b) => a.CompareTo(b) < 0 ? (a, b) : (b, a);

    private sealed class Connection
    {
        public TimeSpan Latency { get; init; }

        /// <summary>Not before then does the next frame leave: order is kept.</summary>
        public TimeSpan IdleAt { get; set; }

        public bool IsBroken { get; set; }
    }
}
