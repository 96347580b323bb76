using Iroh.Cryptography;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Simulation;

/// <summary>
/// One life of a connection, everything in it chosen by a seed: what the network does, what both ends send, when keys are updated, who
/// closes. <see cref="Run"/> fails if data is damaged or missing, if an end finds fault with the other, or if the pair never becomes quiet.
/// </summary>
public sealed class History
{
    private const int StreamSizeLog2Max = 17;

    private readonly RandomSource _random;
    private readonly Plan _plan;
    private readonly Pair _pair;
    private readonly TransferApplication _client;
    private readonly TransferApplication _server;

    public History(ulong seed)
    {
        _random = new SeededRandomSource(seed);
        _plan = _random.NextBelow(10) switch
        {
            0 => Plan.CloseEarly,
            <= 3 => Plan.Move,
            _ => Plan.Stay,
        };
        _pair = new Pair(seed, RandomConditions());
        _pair.ClientConfiguration = RandomConfiguration(_pair.ClientConfiguration);
        _pair.ServerConfiguration = RandomConfiguration(_pair.ServerConfiguration);

        // A client that only receives would never show the server its new address.
        if (_plan == Plan.Move)
            _pair.ClientConfiguration = _pair.ClientConfiguration with { KeepAliveInterval = TimeSpan.FromSeconds(5) };
        _pair.Client.SegmentsMax = 1 + (int)_random.NextBelow(10);
        _pair.Server.SegmentsMax = 1 + (int)_random.NextBelow(10);
        (StreamDirection, long)[] fromClient = RandomStreams();
        (StreamDirection, long)[] fromServer = RandomStreams();
        _client = new TransferApplication(fromClient) { StreamsExpected = fromServer.Length, Datagrams = (int)_random.NextBelow(50) };
        _server = new TransferApplication(fromServer) { StreamsExpected = fromClient.Length, Datagrams = (int)_random.NextBelow(50) };
        _pair.ServerApplication = _server;
    }

    private enum Plan
    {
        Stay,
        Move,
        CloseEarly,
    }

    public Pair Pair => _pair;

    public void Run()
    {
        _pair.Connect(_client);
        if (_plan == Plan.CloseEarly)
            _pair.RunFor(TimeSpan.FromMilliseconds(_random.NextBelow(500)));
        if (_plan == Plan.Move)
            MoveClient();
        if (_plan != Plan.CloseEarly)
            _pair.RunUntil(IsDone);
        CheckHealthy();
        bool byClient = _random.NextBelow(2) == 0 || _pair.Server.Connections.Count == 0;
        ulong code = _random.NextBelow(1000);
        SimulatedConnection closer = byClient ? _pair.ClientSide : _pair.ServerSide;
        closer.Connection.Close(_pair.Network.Now, code, "enough"u8);
        _pair.Drain();
        _pair.RunUntilQuiet();
        CheckEnd(byClient ? _pair.Server : _pair.Client, code);
    }

    // The client's NAT forgets it, up to three times, and gives it another port or another address.
    private void MoveClient()
    {
        _pair.RunUntil(() => _pair.ClientSide.Has(ConnectionEventKind.HandshakeConfirmed));
        ulong moves = 1 + _random.NextBelow(3);
        for (ulong i = 0; i < moves && !IsDone(); i++)
        {
            byte host = (byte)(_random.NextBelow(2) == 0 ? 1 : 3 + i);
            _pair.Network.Rebind(Pair.ClientAddress, NetworkAddress.FromIPv4([10, 0, 0, host], (ushort)(5000 + i)));
            _pair.RunFor(TimeSpan.FromMilliseconds(_random.NextBelow(2000)));
        }
    }

    private bool IsDone()
    {
        CheckHealthy();
        return _client.IsComplete && _server.IsComplete;
    }

    private void CheckHealthy()
    {
        foreach (SimulatedConnection c in _pair.Client.Connections.Concat(_pair.Server.Connections))
            Assert.True(c.Connection.CloseReason is null, $"The {c.Connection.Side} ended: {c.Connection.CloseReason}");
        Assert.True(_pair.Server.Connections.Count <= 1, "One attempt made two connections.");
    }

    private void CheckEnd(SimulatedEndpoint other, ulong code)
    {
        foreach (SimulatedConnection c in _pair.Client.Connections.Concat(_pair.Server.Connections))
        {
            Assert.True(c.Connection.IsDrained, $"The {c.Connection.Side} is not drained.");
            Assert.Equal(ConnectionEventKind.Closed, c.Events[^1].Kind);
        }

        Assert.Equal(0, _pair.Client.Core.ConnectionCount);
        Assert.Equal(0, _pair.Server.Core.ConnectionCount);
        Assert.Equal(0, _pair.Server.Core.HandshakeCount);
        if (other.Connections.Count == 0)
            return;
        CloseReason reason = other.Connections[0].Connection.CloseReason!;
        switch (reason.Cause)
        {
            case CloseCause.PeerApplication:
                Assert.Equal(code, reason.Code);
                Assert.Equal("enough", reason.ReasonText);
                break;
            case CloseCause.PeerTransport: // closed before the handshake was complete
                Assert.Equal(TransportErrorCode.ApplicationError, reason.Code);
                break;
            default: // all copies of the close were lost; what still arrived at the other end afterwards may have been answered by a reset
                Assert.True(reason.Cause is CloseCause.IdleTimeout or CloseCause.StatelessReset, reason.ToString());
                break;
        }
    }

    private LinkConditions RandomConditions() => new()
    {
        Latency = TimeSpan.FromMicroseconds(100 + _random.NextBelow(100_000)),
        Jitter = TimeSpan.FromMicroseconds(_random.NextBelow(2) * _random.NextBelow(20_000)),
        LossRate = _random.NextBelow(3) * _random.NextBelow(100) / 1000.0,
        DuplicationRate = _random.NextBelow(2) * _random.NextBelow(100) / 1000.0,
        ReorderRate = _random.NextBelow(2) * _random.NextBelow(200) / 1000.0,
        CorruptionRate = _random.NextBelow(2) * _random.NextBelow(50) / 1000.0,
        BytesPerSecond = _random.NextBelow(2) * (100_000 + _random.NextBelow(10_000_000)),
        MarkAfter = _random.NextBelow(2) == 0 ? TimeSpan.MaxValue : TimeSpan.FromMilliseconds(5),
        Mtu = 1200 + (int)_random.NextBelow(300),
        BleachesEcn = _random.NextBelow(4) == 0,
    };

    private ConnectionConfiguration RandomConfiguration(ConnectionConfiguration configuration) => configuration with
    {
        PacketsPerKeyMax = _random.NextBelow(2) == 0 ? ulong.MaxValue : 1 + _random.NextBelow(100),
        StreamReceiveWindow = 1000 + _random.NextBelow(100_000),
        ConnectionReceiveWindow = 2000 + _random.NextBelow(200_000),
        StreamSendWindow = 1000 + (int)_random.NextBelow(100_000),
        Congestion = (CongestionAlgorithm)_random.NextBelow(2),
        BidirectionalStreamsMax = 1 + _random.NextBelow(4),
        UnidirectionalStreamsMax = 1 + _random.NextBelow(4),
    };

    private (StreamDirection Direction, long Size)[] RandomStreams()
    {
        var streams = new (StreamDirection, long)[_random.NextBelow(7)];
        for (int i = 0; i < streams.Length; i++)
            streams[i] = ((StreamDirection)_random.NextBelow(2), (long)_random.NextBelow(1UL << (int)_random.NextBelow(StreamSizeLog2Max)));
        return streams;
    }
}
