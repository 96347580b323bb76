using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Quic.Protocol.Streams;

namespace Iroh.Quic.Protocol.Tests.Streams;

/// <summary>
/// Two tables joined by a network that loses, delays, reorders and repeats packets, driven by random commands. Applications act only
/// on events once they were told to wait, so a missing event shows as a stall.
/// </summary>
public sealed class StreamPairTests
{
    private const int SeedCount = 2400;
    private const int SettleStepsMax = 30_000;

    [Fact]
    public void Every_stream_arrives_whole_or_says_why_not_whatever_the_network_does()
    {
        for (ulong seed = 1; seed <= SeedCount; seed++)
            Run(seed);
    }

    private static void Run(ulong seed)
    {
        var random = new SeededRandomSource(seed);
        var clock = new Clock();
        var client = new Application(seed, Side.Client, random, clock);
        var server = new Application(seed, Side.Server, random, clock);
        client.Connect(server);
        server.Connect(client);

        int steps = 50 + (int)random.NextBelow(250);
        for (; clock.Now < steps; clock.Now++)
        {
            client.Step(acting: true);
            server.Step(acting: true);
        }

        while (!(client.IsQuiet && server.IsQuiet))
        {
            clock.Now++;
            if (clock.Now > SettleStepsMax)
                Assert.Fail($"Seed {seed}: stalled.\n{client}\n{server}");
            client.Step(acting: false);
            server.Step(acting: false);
        }

        client.CheckEnd();
        server.CheckEnd();
    }

    private sealed class Clock
    {
        public int Now { get; set; }
    }

    private sealed record Packet(byte[] Bytes, SentFrame[] Sent);

    private enum Fate
    {
        Arrives,
        IsAcknowledged,
        IsLost,
    }

    private sealed class SendModel
    {
        public int Written;
        public bool Blocked;
        public bool Finished;
        public ulong? ResetCode;
        public bool SawStopped;
        public bool SawFinished;

        public bool IsOver => Finished || ResetCode is not null || SawStopped;
    }

    private sealed class ReceiveModel
    {
        public int Read;
        public bool Waiting;
        public bool Ended;
        public ulong? StopCode;

        public bool IsOver => Ended || StopCode is not null;
    }

    private sealed class Application
    {
        private readonly ulong _seed;
        private readonly Side _side;
        private readonly RandomSource _random;
        private readonly Clock _clock;
        private readonly StreamConfiguration _configuration;
        private readonly StreamTable _table;
        private readonly Queue<StreamEvent> _events = new();
        private readonly SortedDictionary<StreamId, SendModel> _sending = [];
        private readonly SortedDictionary<StreamId, ReceiveModel> _receiving = [];
        private readonly List<(int Tick, Fate Fate, Packet Packet)> _underway = [];
        private readonly bool[] _openBlocked = new bool[2];
        private readonly bool[] _acceptWaiting = [true, true];
        private readonly int _packetLength;
        private Application _peer = null!;

        public Application(ulong seed, Side side, RandomSource random, Clock clock)
        {
            (_seed, _side, _random, _clock) = (seed, side, random, clock);
            _packetLength = 60 + Below(400);
            _configuration = new StreamConfiguration
            {
                Local = new StreamLimits(
                    (ulong)(300 + Below(20_000)), Window(), Window(), Window(), (ulong)(1 + Below(6)), (ulong)(1 + Below(6))),
                StreamSendWindow = 50 + Below(5000),
                SendWindow = 100 + Below(10_000),
            };
            _table = new StreamTable(side, _configuration, _events);
        }

        public bool IsQuiet =>
            _underway.Count == 0 && !_table.HasPendingFrames && _table.LiveHalves == 0 && _sending.Values.All(s => s.IsOver);

        public override string ToString() =>
            $"{_side}: pending {_table.HasPendingFrames}, live halves {_table.LiveHalves}, underway {_underway.Count}, sending "
            + string.Join(' ', _sending.Where(s => !s.Value.IsOver).Select(s => $"{s.Key.Value}:{s.Value.Written}{(s.Value.Blocked ? "b" : "")}"))
            + ", receiving "
            + string.Join(' ', _receiving.Where(r => !r.Value.IsOver).Select(r => $"{r.Key.Value}:{r.Value.Read}{(r.Value.Waiting ? "w" : "")}"));

        public void Connect(Application peer)
        {
            _peer = peer;
            _table.OnPeerParameters(peer._configuration.Local);
        }

        public void Step(bool acting)
        {
            if (acting)
                Act();
            else
                Settle();
            DrainEvents();
            for (int i = Below(3); i >= 0 && _table.HasPendingFrames; i--)
                SendPacket();
            Deliver();
            DrainEvents();
        }

        // Each half has come to exactly one of its ends, and the two ends of a stream tell the same story.
        public void CheckEnd()
        {
            Check(_table.BufferedBytes == 0, $"buffered bytes remain");
            Check(_table.BlockBytes == 0, $"{_table.BlockBytes} bytes of blocks were not given back");
            foreach ((StreamId id, SendModel model) in _sending)
            {
                int ends = (model.SawFinished ? 1 : 0) + (model.SawStopped ? 1 : 0) + (model.ResetCode is null ? 0 : 1);
                Check(ends == 1, $"stream {id.Value} has {ends} ends of sending");
            }

            foreach ((StreamId id, ReceiveModel model) in _receiving)
                Check(model.IsOver, $"stream {id.Value} was not received to an end");
        }

        private ulong Window() => (ulong)(1 + Below(5000));

        private int Below(int max) => (int)_random.NextBelow((ulong)max);

        private void Check(bool condition, FormattableString what)
        {
            if (!condition)
                Assert.Fail($"Seed {_seed}, {_side}, step {_clock.Now}: {what}.");
        }

        private void Act()
        {
            switch (Below(10))
            {
                case 0 or 1:
                    Open((StreamDirection)Below(2));
                    break;
                case 2 or 3 or 4 when Pick(_sending) is { } id:
                    Write(id, 1 + Below(3000));
                    break;
                case 5 when Pick(_sending) is { } id && Below(3) == 0:
                    Finish(id);
                    break;
                case 6 when Pick(_sending) is { } id && Below(6) == 0:
                    Reset(id);
                    break;
                case 7 when Pick(_receiving) is { } id && Below(6) == 0:
                    StopSending(id);
                    break;
                case 8 when Pick(_receiving) is { } id:
                    Read(id);
                    break;
                case 9:
                    Accept((StreamDirection)Below(2));
                    break;
            }
        }

        // Brings everything to an end, waiting for events where the table said to wait.
        private void Settle()
        {
            for (int direction = 0; direction < 2; direction++)
            {
                if (!_acceptWaiting[direction])
                    Accept((StreamDirection)direction);
            }

            foreach ((StreamId id, SendModel model) in _sending)
            {
                if (!model.IsOver && !model.Blocked)
                    Finish(id);
            }

            foreach ((StreamId id, ReceiveModel model) in _receiving)
            {
                if (!model.IsOver && !model.Waiting)
                    Read(id);
            }
        }

        private StreamId? Pick<T>(SortedDictionary<StreamId, T> streams) =>
            streams.Count == 0 ? null : streams.ElementAt(Below(streams.Count)).Key;

        private void Open(StreamDirection direction)
        {
            bool opened = _table.TryOpenStream(direction, out StreamId id);
            if (!opened)
            {
                _openBlocked[(int)direction] = true;
                return;
            }

            Check(!_openBlocked[(int)direction], $"a stream could be opened again without an event");
            _sending.Add(id, new SendModel());
            if (direction == StreamDirection.Bidirectional)
                _receiving.Add(id, new ReceiveModel());
        }

        private void Accept(StreamDirection direction)
        {
            if (!_table.TryAcceptStream(direction, out StreamId id))
            {
                _acceptWaiting[(int)direction] = true;
                return;
            }

            Check(!_acceptWaiting[(int)direction], $"a stream could be accepted without an event");
            _receiving.TryAdd(id, new ReceiveModel());
            if (direction == StreamDirection.Bidirectional)
                _sending.TryAdd(id, new SendModel());
        }

        private void Write(StreamId id, int count)
        {
            SendModel model = _sending[id];
            var data = new byte[count];
            for (int i = 0; i < count; i++)
                data[i] = ByteAt(_side, id, model.Written + i);
            StreamWrite result = _table.Write(id, data);
            bool isExpected = result.Status switch
            {
                StreamStatus.Ok => !model.IsOver && result.Accepted == count,
                StreamStatus.Blocked => !model.IsOver && result.Accepted < count,
                StreamStatus.Stopped => model.SawStopped && result.Accepted == 0,
                StreamStatus.Closed => model.IsOver && result.Accepted == 0,
                _ => false,
            };
            Check(isExpected, $"write on {id.Value} said {result}");
            model.Written += result.Accepted;
            model.Blocked = result.Status == StreamStatus.Blocked;
        }

        private void Finish(StreamId id)
        {
            SendModel model = _sending[id];
            StreamStatus status = _table.Finish(id);
            Check((status == StreamStatus.Ok) == !model.IsOver, $"finish on {id.Value} said {status}");
            model.Finished |= status == StreamStatus.Ok;
            model.Blocked = false;
        }

        private void Reset(StreamId id)
        {
            SendModel model = _sending[id];
            ulong code = _random.NextBelow(1UL << 62);
            if (_table.Reset(id, code) == StreamStatus.Ok)
                model.ResetCode = code;
            model.Blocked = false;
        }

        private void StopSending(StreamId id)
        {
            ReceiveModel model = _receiving[id];
            ulong code = _random.NextBelow(1UL << 62);
            StreamStatus status = _table.StopSending(id, code);
            Check((status == StreamStatus.Ok) == !model.IsOver, $"stop on {id.Value} said {status}");
            if (status == StreamStatus.Ok)
                model.StopCode = code;
        }

        private void Read(StreamId id)
        {
            ReceiveModel model = _receiving[id];
            var buffer = new byte[1 + Below(2000)];
            StreamRead result = _table.Read(id, buffer);
            if (model.IsOver)
            {
                Check(result.Status == StreamStatus.Closed, $"read after the end of {id.Value} said {result}");
                return;
            }

            SendModel? sender = _peer._sending.GetValueOrDefault(id); // none while the peer has not accepted the stream
            switch (result.Status)
            {
                case StreamStatus.Ok:
                    Check(!model.Waiting, $"stream {id.Value} became readable without an event");
                    Check(result.Count > 0, $"an empty read");
                    for (int i = 0; i < result.Count; i++)
                    {
                        if (buffer[i] != ByteAt(_peer._side, id, model.Read + i))
                            Check(false, $"stream {id.Value} differs at {model.Read + i}");
                    }

                    model.Read += result.Count;
                    break;
                case StreamStatus.Blocked:
                    model.Waiting = true;
                    break;
                case StreamStatus.Finished:
                    Check(!model.Waiting, $"stream {id.Value} ended without an event");
                    Check(sender is not null && sender.Finished && sender.Written == model.Read, $"stream {id.Value} ended at {model.Read} of {sender?.Written}");
                    model.Ended = true;
                    break;
                case StreamStatus.Reset:
                    Check(sender?.ResetCode == result.Code, $"stream {id.Value} was reset with {result.Code}");
                    model.Ended = true;
                    break;
                default:
                    Check(false, $"read on {id.Value} said {result}");
                    break;
            }
        }

        private void DrainEvents()
        {
            while (_events.TryDequeue(out StreamEvent e))
            {
                switch (e.Kind)
                {
                    case StreamEventKind.Opened:
                        Check(_acceptWaiting[(int)e.Direction], $"a second event for opened streams");
                        _acceptWaiting[(int)e.Direction] = false;
                        while (!_acceptWaiting[(int)e.Direction])
                            Accept(e.Direction);
                        break;
                    case StreamEventKind.StreamsAvailable:
                        Check(_openBlocked[(int)e.Direction], $"an event for available streams that nobody asked for");
                        _openBlocked[(int)e.Direction] = false;
                        break;
                    case StreamEventKind.Readable:
                        _receiving[e.StreamId].Waiting = false;
                        break;
                    case StreamEventKind.ResetReceived:
                        Check(_peer._sending[e.StreamId].ResetCode == e.Code, $"stream {e.StreamId.Value} was reset with {e.Code}");
                        _receiving[e.StreamId].Waiting = false;
                        break;
                    case StreamEventKind.Writable:
                        Check(_sending[e.StreamId].Blocked, $"a writable event for {e.StreamId.Value} that nobody waited for");
                        _sending[e.StreamId].Blocked = false;
                        break;
                    case StreamEventKind.Finished:
                        Check(!_sending[e.StreamId].SawFinished, $"a second finished event");
                        _sending[e.StreamId].SawFinished = true;
                        break;
                    case StreamEventKind.Stopped:
                        Check(_peer._receiving[e.StreamId].StopCode == e.Code, $"stream {e.StreamId.Value} was stopped with {e.Code}");
                        Check(!_sending[e.StreamId].SawStopped, $"a second stopped event");
                        _sending[e.StreamId].SawStopped = true;
                        _sending[e.StreamId].Blocked = false;
                        break;
                }
            }
        }

        private void SendPacket()
        {
            (byte[] bytes, SentFrame[] sent) = FrameDispatch.Take(_table, _packetLength);
            Check(bytes.Length > 0, $"frames were pending and none was written");
            var packet = new Packet(bytes, sent);
            int arrival = _clock.Now + 1 + Below(6);
            int later = arrival + 1 + Below(8);
            switch (Below(20))
            {
                case 0 or 1 or 2: // lost
                    _underway.Add((later, Fate.IsLost, packet));
                    break;
                case 3 or 4: // arrives, but its acknowledgement does not
                    _underway.Add((arrival, Fate.Arrives, packet));
                    _underway.Add((later, Fate.IsLost, packet));
                    break;
                case 5: // declared lost, then arrives and is acknowledged after all
                    _underway.Add((arrival, Fate.IsLost, packet));
                    _underway.Add((later, Fate.Arrives, packet));
                    _underway.Add((later + 3, Fate.IsAcknowledged, packet));
                    break;
                case 6: // arrives twice
                    _underway.Add((arrival, Fate.Arrives, packet));
                    _underway.Add((later, Fate.Arrives, packet));
                    _underway.Add((later, Fate.IsAcknowledged, packet));
                    break;
                default:
                    _underway.Add((arrival, Fate.Arrives, packet));
                    _underway.Add((later, Fate.IsAcknowledged, packet));
                    break;
            }
        }

        private void Deliver()
        {
            for (int i = 0; i < _underway.Count; i++)
            {
                (int tick, Fate fate, Packet packet) = _underway[i];
                if (tick > _clock.Now)
                    continue;
                _underway.RemoveAt(i--);
                switch (fate)
                {
                    case Fate.Arrives:
                        TransportError? error = FrameDispatch.Give(_peer._table, packet.Bytes);
                        Check(error is null, $"the peer refused a frame: {error}");
                        _peer.DrainEvents();
                        break;
                    case Fate.IsAcknowledged:
                        foreach (SentFrame frame in packet.Sent)
                            _table.OnFrameAcknowledged(frame);
                        break;
                    case Fate.IsLost:
                        foreach (SentFrame frame in packet.Sent)
                            _table.OnFrameLost(frame);
                        break;
                }
            }
        }

        private byte ByteAt(Side sender, StreamId id, int offset) =>
            (byte)((offset * 31) + (offset >> 7) + ((int)id.Value * 13) + (sender == Side.Server ? 101 : 0) + (int)_seed);
    }
}
