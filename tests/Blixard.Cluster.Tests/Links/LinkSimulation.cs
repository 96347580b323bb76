using Blixard.Cluster.Links;
using Iroh.Base;
using Iroh.Cryptography;

namespace Blixard.Cluster.Tests.Links;

/// <summary>
/// Two nodes' machines with a network between them in virtual time: dials take random times, connections break on one side
/// first, and processes restart. After a troubled while the network behaves; then both must settle on one connection.
/// </summary>
internal sealed class LinkSimulation
{
    private static readonly TimeSpan s_step = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_pingInterval = TimeSpan.FromSeconds(1);

    private readonly ulong _seed;
    private readonly SeededRandomSource _random;
    private readonly Node[] _nodes;
    private readonly Dictionary<long, Wire> _wires = [];
    private readonly List<(TimeSpan At, Action Do)> _agenda = [];
    private TimeSpan _now;
    private long _nextNumber = 1;

    public LinkSimulation(EndpointId small, EndpointId large, ulong seed)
    {
        _seed = seed;
        _random = new SeededRandomSource(seed);
        _nodes = [new Node(small, large, seed), new Node(large, small, seed + 1)];
    }

    public void Run()
    {
        foreach (Node node in _nodes)
            Do(node, node.Link.OnMember(_now));
        RunUntil(TimeSpan.FromSeconds(20), isTroubled: true);
        RunUntil(TimeSpan.FromSeconds(100), isTroubled: false);
        Assert.True(
            _nodes.All(node => node.Link.State == LinkState.Ready) && _nodes[0].Link.Connection == _nodes[1].Link.Connection,
            $"seed {_seed}: {string.Join(", ", _nodes.Select(node => $"{node.Link.State} {node.Link.Connection} {node.Link.Reason}"))}");
        Assert.True(_wires.Values.Count(wire => wire.IsOpen.All(open => open)) == 1, $"seed {_seed}: more than one connection is left open");
    }

    private void RunUntil(TimeSpan end, bool isTroubled)
    {
        for (; _now < end; _now += s_step)
        {
            foreach ((TimeSpan At, Action Do) item in _agenda.Where(item => item.At <= _now).ToList())
            {
                _agenda.Remove(item);
                item.Do();
            }

            foreach (Node node in _nodes)
            {
                while (node.Link.NextTimeout <= _now)
                    Do(node, node.Link.HandleTimeout(_now));
                if (node.Link.Connection is { } connection && _now >= node.NextPing)
                {
                    node.NextPing = _now + s_pingInterval;
                    Ping(node, connection);
                }
            }

            if (isTroubled && _random.NextBelow(20) == 0)
                Trouble();
        }
    }

    private void Trouble()
    {
        Node node = _nodes[_random.NextBelow(2)];
        switch (_random.NextBelow(3))
        {
            case 0: // A connection dies for one side, the other does not hear of it.
                foreach (Wire wire in _wires.Values.Where(wire => wire.IsOpen[Index(node)]).Take(1).ToList())
                    End(node, wire, tellOther: false);
                break;
            case 1: // The process restarts: its connections are gone without a word.
                foreach (Wire wire in _wires.Values)
                    wire.IsOpen[Index(node)] = false;
                node.Restart(_random.NextUInt64());
                Do(node, node.Link.OnMember(_now));
                break;
            default: // Its address record is written again.
                Do(node, node.Link.OnMember(_now));
                break;
        }
    }

    private void Do(Node node, IReadOnlyList<LinkAction> actions)
    {
        foreach (LinkAction action in actions)
        {
            switch (action)
            {
                case LinkAction.Dial:
                    StartDial(node);
                    break;
                case LinkAction.Probe probe:
                    Ping(node, probe.Connection);
                    break;
                case LinkAction.Close close when _wires.TryGetValue(close.Connection, out Wire? wire) && wire.IsOpen[Index(node)]:
                    wire.IsOpen[Index(node)] = false;
                    Later(() => End(Other(node), wire, tellOther: false));
                    break;
            }
        }
    }

    private void StartDial(Node node)
    {
        ulong instance = node.Instance;
        Later(() =>
        {
            if (node.Instance != instance)
                return;
            if (_now < TimeSpan.FromSeconds(20) && _random.NextBelow(3) == 0)
            {
                Do(node, node.Link.OnDialFailed("lost", _now));
                return;
            }

            var wire = new Wire(_nextNumber++);
            _wires.Add(wire.Number, wire);
            Node other = Other(node);
            Do(node, node.Link.OnConnected(new LinkConnection(wire.Number, true, other.Instance), _now));
            ulong otherInstance = other.Instance;
            Later(() =>
            {
                if (other.Instance == otherInstance && wire.IsOpen[Index(other)])
                    Do(other, other.Link.OnConnected(new LinkConnection(wire.Number, false, instance), _now));
            });
        });
    }

    private void Ping(Node node, long connection)
    {
        Wire wire = _wires[connection];
        Later(() =>
        {
            if (wire.IsOpen[0] && wire.IsOpen[1])
                Later(() => Do(node, node.Link.OnPong(connection, s_step, _now)));
        });
    }

    private void End(Node node, Wire wire, bool tellOther)
    {
        if (!wire.IsOpen[Index(node)])
            return;
        wire.IsOpen[Index(node)] = false;
        Do(node, node.Link.OnClosed(wire.Number, "closed", _now));
        if (tellOther)
            Later(() => End(Other(node), wire, tellOther: false));
    }

    private void Later(Action action) => _agenda.Add((_now + TimeSpan.FromMilliseconds(10 + _random.NextBelow(300)), action));

    private int Index(Node node) => node == _nodes[0] ? 0 : 1;

    private Node Other(Node node) => _nodes[1 - Index(node)];

    private sealed class Wire(long number)
    {
        public long Number { get; } = number;

        public bool[] IsOpen { get; } = [true, true];
    }

    private sealed class Node
    {
        private readonly EndpointId _self, _peer;

        public Node(EndpointId self, EndpointId peer, ulong instance)
        {
            (_self, _peer) = (self, peer);
            Restart(instance);
        }

        public LinkMachine Link { get; private set; } = null!;

        public ulong Instance { get; private set; }

        public TimeSpan NextPing { get; set; }

        [System.Diagnostics.CodeAnalysis.MemberNotNull(nameof(Link))]
        public void Restart(ulong instance)
        {
            Instance = instance;
            Link = new LinkMachine(_self, _peer, new SeededRandomSource(instance), new LinkTiming());
        }
    }
}
