using Iroh.Cryptography;
using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Simulation;

/// <summary>
/// One life of a connection over several paths, everything in it chosen by a seed: where both ends live, what is opened, closed and
/// announced, which ways go dark and come back, which mappings and addresses are lost, while data goes both ways. <see cref="Run"/> fails if
/// data is damaged or missing once a way works, if an end finds fault with the other, if either keeps state or keeps sending without end.
/// </summary>
public sealed class PathHistory
{
    /// <summary>Far more than a transfer of this size needs over the worst way, less than what would make a test slow.</summary>
    private const int StepsMax = 300_000;

    /// <summary>So long a way stays dark at most: the connection is given up after 30 s without a sign of life.</summary>
    private static readonly TimeSpan s_darkMax = TimeSpan.FromSeconds(3);

    private readonly RandomSource _random;
    private readonly Pair _pair;
    private readonly Topology _topology;
    private readonly TransferApplication _client;
    private readonly TransferApplication _server;
    private readonly Dictionary<(NetworkAddress, NetworkAddress), LinkConditions> _dark = [];
    private readonly List<string> _story = [];
    private readonly int _operations;

    /// <param name="seed">Chooses everything.</param>
    /// <param name="operationsMax">Ends the story after so many operations: for finding the one that matters.</param>
    public PathHistory(ulong seed, int operationsMax = int.MaxValue)
    {
        _random = new SeededRandomSource(seed ^ 0x70617468);
        _pair = new Pair(seed, RandomConditions());
        _topology = new Topology(_pair, _random);
        _pair.ClientConfiguration = RandomConfiguration();
        _pair.ServerConfiguration = RandomConfiguration();
        (StreamDirection, long)[] fromClient = RandomStreams(), fromServer = RandomStreams();
        _client = new TransferApplication(fromClient) { StreamsExpected = fromServer.Length, Datagrams = (int)_random.NextBelow(50) };
        _server = new TransferApplication(fromServer) { StreamsExpected = fromClient.Length, Datagrams = (int)_random.NextBelow(50) };
        _pair.ServerApplication = _server;
        _client.Heard = _server.Heard = OnEvent;
        _operations = (int)Math.Min((ulong)operationsMax, _random.NextBelow(24));
    }

    public Pair Pair => _pair;

    /// <summary>What was done so far, for people.</summary>
    public string Story => string.Join("\n", _story);

    public void Run()
    {
        _pair.Connect(_client, _topology.Anchor);
        Until(() => _pair.ClientSide.Has(ConnectionEventKind.HandshakeConfirmed), "the handshake");
        for (int i = 0; i < _operations; i++)
        {
            Operate();
            _pair.Drain();
            _pair.RunFor(TimeSpan.FromMilliseconds(_random.NextBelow(700)));
            CheckHealthy();
        }

        MakeWhole();
        Until(() => _client.IsComplete && _server.IsComplete, "all data");
        CheckCalm();
        End();
    }

    private void Operate()
    {
        switch (_random.NextBelow(15))
        {
            case 0 or 1 or 2:
                OpenPath();
                break;
            case 3:
                ClosePath();
                break;
            case 4:
                SetStatus();
                break;
            case 5 or 6:
                Darken();
                break;
            case 7:
                Light();
                break;
            case 8:
                ForgetMappings();
                break;
            case 9:
                ChangeNetwork();
                break;
            case 10:
                UpdateKeys();
                break;
            case 11:
                NameCandidates();
                break;
            case 12 or 13:
                if (_random.NextBelow(2) == 0)
                    NameCandidates();
                Tell($"a round of hole punching: {_pair.ClientSide.Connection.StartHolePunching(_pair.Network.Now)}");
                break;
            default:
                ChangeConditions();
                break;
        }
    }

    private void OpenPath()
    {
        IReadOnlyList<NetworkAddress> remotes = _topology.ServerAddresses();
        NetworkAddress remote = remotes[(int)_random.NextBelow((ulong)remotes.Count)];
        if (_random.NextBelow(3) > 0)
            remote = remotes.FirstOrDefault(address => _pair.Network.IsReachable(address) && !IsInUse(address), remote);
        NetworkAddress[] locals = [.. _pair.Client.Addresses.Where(address => address.IsIPv4 == remote.IsIPv4)];
        NetworkAddress local = remote.IsVirtual || locals.Length == 0 || _random.NextBelow(2) == 0 ? default : locals[_random.NextBelow((ulong)locals.Length)];
        var status = (PathStatus)_random.NextBelow(2);
        PathOpenResult result = _pair.ClientSide.Connection.TryOpenPath(_pair.Network.Now, new FourTuple(local, remote), status, out PathId id);
        Tell($"open {local} to {remote} as {status}: {result} {id.Value}");
    }

    private bool IsInUse(NetworkAddress remote) => PathsOf(_pair.ClientSide).Any(path => path.Address.Remote == remote);

    private void ClosePath()
    {
        (SimulatedConnection end, PathSnapshot[] paths) = RandomEnd();

        // The anchor stays, so that a way remains whatever becomes of the others.
        PathSnapshot[] others = [.. paths.Where(path => !IsAnchor(path))];
        if (!_topology.HasRelay && end == _pair.ServerSide)
            return; // which does not know what the client has dialled
        if (others.Length == 0)
            return;
        PathId id = others[_random.NextBelow((ulong)others.Length)].Id;
        bool closed = end.Connection.ClosePath(_pair.Network.Now, id, _random.NextBelow(100));
        Tell($"{end.Connection.Side} closes {id.Value}: {closed}");
    }

    private void SetStatus()
    {
        (SimulatedConnection end, PathSnapshot[] paths) = RandomEnd();
        if (paths.Length == 0)
            return;
        PathId id = paths[_random.NextBelow((ulong)paths.Length)].Id;
        var status = (PathStatus)_random.NextBelow(2);
        end.Connection.SetPathStatus(_pair.Network.Now, id, status);
        Tell($"{end.Connection.Side} calls {id.Value} {status}");
    }

    private void Darken()
    {
        (NetworkAddress client, NetworkAddress server) = _topology.RandomPairOfHosts();
        if (!_dark.TryAdd((client, server), _pair.Network.ConditionsBetween(client, server)))
            return;
        _pair.Network.SetConditions(client, server, new LinkConditions { LossRate = 1 });
        Tell($"dark between {client} and {server}");
        if (_random.NextBelow(2) == 0)
            _pair.RunFor(_random.NextBelow(1000) * s_darkMax / 1000);
    }

    private void Light()
    {
        foreach (((NetworkAddress client, NetworkAddress server), LinkConditions conditions) in _dark)
            _pair.Network.SetConditions(client, server, conditions);
        _dark.Clear();
        Tell("light everywhere");
    }

    private void ForgetMappings()
    {
        // A server that is reached by its mapping alone cannot be found again when that is gone, unless there is a relay.
        if (_topology.Nats.Count == 0)
            return;
        SimulatedNat nat = _topology.Nats[(int)_random.NextBelow((ulong)_topology.Nats.Count)];
        nat.Forget();
        Tell($"{nat.PublicAddress} forgets its mappings");
    }

    private void ChangeNetwork()
    {
        Tell($"the client's host has {string.Join(" and ", _pair.Client.Addresses)}");
        if (_random.NextBelow(3) > 0)
            _topology.ReplaceClientAddress();
        Tell($"and now {string.Join(" and ", _pair.Client.Addresses)}");
        _pair.ClientSide.Connection.OnNetworkChange(_pair.Network.Now, IsStillThere);
    }

    // Some are true, some cannot be reached, and one may be a lie.
    private void NameCandidates()
    {
        foreach (SimulatedConnection end in new[] { _pair.ClientSide, _pair.ServerSide })
        {
            SimulatedEndpoint endpoint = EndpointOf(end);
            List<NetworkAddress> candidates = [.. _topology.CandidatesOf(endpoint).Where(_ => _random.NextBelow(4) > 0)];
            if (_random.NextBelow(4) == 0)
                candidates.Add(NetworkAddress.FromIPv4([198, 51, 100, (byte)_random.NextBelow(200)], 4000));
            end.Connection.SetLocalCandidates(_pair.Network.Now, candidates.ToArray());
            if (_topology.MappingOf(endpoint) is { } mapping)
                end.Connection.SetNatMapping(_pair.Network.Now, mapping);
            Tell($"{end.Connection.Side} names {string.Join(", ", candidates)}");
        }
    }

    private void OpenSearchSockets(SimulatedConnection end, int count)
    {
        SimulatedEndpoint endpoint = EndpointOf(end);
        if (endpoint.Addresses.FindIndex(address => address.IsIPv4) is var index && index < 0)
            return;
        NetworkAddress[] sockets = [.. Enumerable.Range(0, count).Select(i => SimulatedNetwork.WithPort(endpoint.Addresses[index], (ushort)(20_000 + i)))];
        endpoint.Addresses.AddRange(sockets.Except(endpoint.Addresses));
        end.Connection.OpenSearchSockets(_pair.Network.Now, sockets);
    }

    private static void CloseSearchSockets(SimulatedConnection end, SimulatedEndpoint endpoint)
    {
        PathSnapshot[] paths = PathsOf(end);
        endpoint.Addresses.RemoveAll(address => address.Port >= 20_000 && !paths.Any(path => path.Address.Local == address));
    }

    private SimulatedEndpoint EndpointOf(SimulatedConnection end) => end == _pair.ClientSide ? _pair.Client : _pair.Server;

    private void UpdateKeys()
    {
        (SimulatedConnection end, _) = RandomEnd();
        end.Connection.UpdateKeys();
        Tell($"{end.Connection.Side} updates keys");
    }

    private void ChangeConditions()
    {
        (NetworkAddress client, NetworkAddress server) = _topology.RandomPairOfHosts();
        if (_dark.ContainsKey((client, server)))
            return;
        LinkConditions conditions = RandomConditions();
        _pair.Network.SetConditions(client, server, conditions);
        Tell($"between {client} and {server}: {conditions.Latency.TotalMilliseconds} ms, {conditions.LossRate:0.000} lost, {conditions.BytesPerSecond} bytes/s, MTU {conditions.Mtu}");
    }

    private bool IsStillThere(FourTuple address) => address.Remote.IsVirtual || address.Local.IsUnspecified || _pair.Client.Addresses.Contains(address.Local);

    private bool IsAnchor(PathSnapshot path) => path.Address.Remote == _topology.Anchor || path.Address.Remote == Topology.ClientByRelay;

    // After the worst there is a way again, and the client knows of it.
    private void MakeWhole()
    {
        Light();
        _pair.ClientSide.Connection.OnNetworkChange(_pair.Network.Now, IsStillThere);
        _pair.Drain();
        _pair.RunFor(TimeSpan.FromSeconds(4));
        CheckHealthy();
        Tell("whole again");
        OpenAnchor();
        _pair.Drain();
    }

    private (SimulatedConnection End, PathSnapshot[] Paths) RandomEnd()
    {
        SimulatedConnection end = _random.NextBelow(2) == 0 ? _pair.ClientSide : _pair.ServerSide;
        return (end, PathsOf(end));
    }

    private static PathSnapshot[] PathsOf(SimulatedConnection end)
    {
        var paths = new PathSnapshot[end.Connection.PathCount];
        return paths[..end.Connection.CopyPaths(paths)];
    }

    private void Until(Func<bool> condition, string what)
    {
        int start = _pair.Steps;
        _pair.RunUntil(() =>
        {
            CheckHealthy();
            Assert.True(_pair.Steps - start < StepsMax, $"After {StepsMax} steps there is still something to do: {what}.");
            return condition();
        });
    }

    private void CheckHealthy()
    {
        Assert.True(_pair.Server.Connections.Count <= 1, "One attempt made two connections.");
        foreach (SimulatedConnection c in _pair.Client.Connections.Concat(_pair.Server.Connections))
        {
            Assert.True(c.Connection.CloseReason is null, $"The {c.Connection.Side} ended: {c.Connection.CloseReason}");
            int pathsMax = (c.Connection.Side == Side.Client ? _pair.ClientConfiguration : _pair.ServerConfiguration).ConcurrentPathsMax;
            Assert.True(c.Connection.PathCount <= pathsMax, $"The {c.Connection.Side} has {c.Connection.PathCount} paths.");

            // Those that were given up are kept until the peer knows it.
            Assert.True(c.Connection.Paths.Count <= 2 * pathsMax, $"The {c.Connection.Side} keeps {c.Connection.Paths.Count} paths.");
            Assert.True(c.Connection.Paths.Entries.Count <= 3 * pathsMax, $"The {c.Connection.Side} keeps {c.Connection.Paths.Entries.Count} path ids.");
        }
    }

    // Nothing is left to do but to keep paths alive.
    private void CheckCalm()
    {
        _pair.RunFor(TimeSpan.FromSeconds(20));
        CheckHealthy();
        long before = _pair.Network.DatagramsSent;
        _pair.RunFor(TimeSpan.FromSeconds(20));
        CheckHealthy();
        long sent = _pair.Network.DatagramsSent - before;
        int paths = PathsOf(_pair.ClientSide).Length + PathsOf(_pair.ServerSide).Length;

        // A keep-alive each 5 s with its acknowledgement, once more for a path that is being asked whether it lives, twice a second.
        Assert.True(sent <= 20 * 2 * 2 * (paths + 1), $"{sent} datagrams in 20 s although there is nothing to say on {paths} paths.");
    }

    private void End()
    {
        (SimulatedConnection closer, _) = RandomEnd();
        closer.Connection.Close(_pair.Network.Now, 7, "enough"u8);
        _pair.Drain();
        _pair.RunUntilQuiet();
        Assert.True(_pair.ClientSide.Connection.IsDrained && _pair.ServerSide.Connection.IsDrained, "An end is not drained.");
        Assert.Equal(0, _pair.Client.Core.ConnectionCount + _pair.Server.Core.ConnectionCount + _pair.Server.Core.HandshakeCount);
        SimulatedConnection other = closer == _pair.ClientSide ? _pair.ServerSide : _pair.ClientSide;
        CloseReason reason = other.Connection.CloseReason!;
        Assert.True(
            reason.Cause is CloseCause.PeerApplication or CloseCause.IdleTimeout or CloseCause.StatelessReset, $"The {other.Connection.Side} ended: {reason}");
    }

    private void OnEvent(SimulatedConnection end, ConnectionEvent e)
    {
        if (e.Kind is ConnectionEventKind.HandshakeConfirmed or (>= ConnectionEventKind.PeerCandidatesChanged and <= ConnectionEventKind.Closed))
            Tell($"    {end.Connection.Side}: {e.Kind} {e.PathId.Value} {e.Address} {e.Code}");

        if (e.Kind == ConnectionEventKind.PortSearchSocketsWanted)
            OpenSearchSockets(end, (int)e.Code);
        if (e.Kind == ConnectionEventKind.PortSearchEnded)
            CloseSearchSockets(end, EndpointOf(end));

        // As any application would that wants to keep the connection.
        if (e.Kind is ConnectionEventKind.PathClosed or ConnectionEventKind.PathsAvailable && end.Connection is { Side: Side.Client, PathCount: 0, CloseReason: null })
            OpenAnchor();
    }

    private void OpenAnchor()
    {
        PathOpenResult result = _pair.ClientSide.Connection.TryOpenPath(_pair.Network.Now, new FourTuple(default, _topology.Anchor), PathStatus.Available, out _);
        Tell($"a path to {_topology.Anchor}: {result}");
    }

    private void Tell(string what) => _story.Add($"{(_pair.Network.Now - new Instant(1_000_000_000_000)).TotalSeconds:0.000} {what}");

    private LinkConditions RandomConditions() => new()
    {
        Latency = TimeSpan.FromMicroseconds(500 + _random.NextBelow(80_000)),
        Jitter = TimeSpan.FromMicroseconds(_random.NextBelow(2) * _random.NextBelow(10_000)),
        LossRate = _random.NextBelow(3) * _random.NextBelow(40) / 1000.0,
        DuplicationRate = _random.NextBelow(2) * _random.NextBelow(50) / 1000.0,
        ReorderRate = _random.NextBelow(2) * _random.NextBelow(100) / 1000.0,
        CorruptionRate = _random.NextBelow(4) == 0 ? _random.NextBelow(20) / 1000.0 : 0,
        BytesPerSecond = 30_000 + _random.NextBelow(400_000),
        Mtu = 1200 + (int)_random.NextBelow(300),
        BleachesEcn = _random.NextBelow(4) == 0,
    };

    private ConnectionConfiguration RandomConfiguration() => new()
    {
        ConcurrentPathsMax = _random.NextBelow(8) == 0 ? 1 : 2 + (int)_random.NextBelow(7),
        PacketsPerKeyMax = _random.NextBelow(2) == 0 ? ulong.MaxValue : 10 + _random.NextBelow(200),
        StreamReceiveWindow = 10_000 + _random.NextBelow(200_000),
        NatTraversalAddressesMax = _random.NextBelow(4) == 0 ? 0 : 1 + (int)_random.NextBelow(32),
        SearchesPorts = _random.NextBelow(2) == 0,
        Congestion = (CongestionAlgorithm)_random.NextBelow(2),
        AddressReports = (AddressReports)_random.NextBelow(4),
    };

    private (StreamDirection Direction, long Size)[] RandomStreams()
    {
        var streams = new (StreamDirection, long)[_random.NextBelow(4)];
        for (int i = 0; i < streams.Length; i++)
            streams[i] = ((StreamDirection)_random.NextBelow(2), (long)_random.NextBelow(1UL << (int)_random.NextBelow(19)));
        return streams;
    }
}
