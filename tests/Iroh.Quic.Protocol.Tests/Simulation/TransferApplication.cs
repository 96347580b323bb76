using System.Buffers.Binary;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Datagrams;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Streams;

namespace Iroh.Quic.Protocol.Tests.Simulation;

/// <summary>
/// Opens streams of given sizes, fills them with a pattern, and answers the other end's bidirectional streams with as many bytes as it
/// has read. Every byte that arrives is compared with the pattern.
/// </summary>
public sealed class TransferApplication(params (StreamDirection Direction, long Size)[] streams) : Application
{
    private readonly byte[] _chunk = new byte[16384];
    private readonly byte[] _expected = new byte[16384];
    private readonly Dictionary<StreamId, Outgoing> _outgoing = [];
    private readonly Dictionary<StreamId, Incoming> _incoming = [];
    private readonly Queue<StreamId> _writable = [];
    private readonly Queue<StreamId> _readable = [];
    private readonly HashSet<StreamId> _acknowledged = [];
    private readonly HashSet<ulong> _datagramsReceived = [];
    private int _opened;
    private int _datagramsSent;

    /// <summary>How many datagrams are sent, of lengths from 8 bytes up to what fits.</summary>
    public int Datagrams { get; init; }

    /// <summary>Hears every event of the connection.</summary>
    public Action<SimulatedConnection, ConnectionEvent>? Heard { get; set; }

    /// <summary>How many datagrams have arrived.</summary>
    public int DatagramsReceived => _datagramsReceived.Count;

    /// <summary>How many streams the other end will open; the transfer is complete when they have all ended.</summary>
    public int StreamsExpected { get; init; }

    public int StreamsReceived { get; private set; }

    public long BytesReceived { get; private set; }

    /// <summary>Whether everything of ours was acknowledged and everything of the peer's has arrived.</summary>
    public bool IsComplete =>
        _opened == streams.Length
        && StreamsReceived == StreamsExpected
        && _outgoing.Count == _acknowledged.Count
        && _incoming.Values.All(i => i.IsEnded);

    public override void OnEvent(SimulatedConnection connection, in ConnectionEvent e)
    {
        Heard?.Invoke(connection, e);
        switch (e.Kind)
        {
            case ConnectionEventKind.StreamReadable:
                _readable.Enqueue(e.StreamId);
                break;
            case ConnectionEventKind.StreamWritable:
                _writable.Enqueue(e.StreamId);
                break;
            case ConnectionEventKind.StreamFinished:
                Assert.True(_acknowledged.Add(e.StreamId));
                break;
            case ConnectionEventKind.StreamStopped:
                Assert.Fail($"Stream {e.StreamId} was stopped with {e.Code}.");
                break;
        }
    }

    public override bool Step(SimulatedConnection connection, Instant now)
    {
        Connection c = connection.Connection;
        if (!connection.Has(ConnectionEventKind.Connected) || c.CloseReason is not null)
            return false;
        bool progress = false;
        while (_opened < streams.Length && c.TryOpenStream(streams[_opened].Direction, out StreamId id))
        {
            Start(id, streams[_opened].Size);
            if (id.Direction == StreamDirection.Bidirectional)
                StartReading(id);
            _opened++;
            progress = true;
        }

        progress |= Accept(c, StreamDirection.Bidirectional) | Accept(c, StreamDirection.Unidirectional);
        while (_readable.TryDequeue(out StreamId id))
            progress |= ReadAll(c, id);
        while (_writable.TryDequeue(out StreamId id))
            progress |= WriteAll(c, id);
        progress |= SendDatagrams(c);
        while (c.TryReceiveDatagram(_chunk, out int length))
            CheckDatagram(c, _chunk.AsSpan(0, length));
        return progress;
    }

    /// <summary>Fills a span with what belongs at that offset of a stream; the two directions of one stream differ.</summary>
    public static void FillPattern(Span<byte> destination, StreamId stream, Side sender, long offset)
    {
        ulong key = (stream.Value * 2) + (sender == Side.Server ? 1UL : 0);
        Span<byte> word = stackalloc byte[8];
        for (int i = 0; i < destination.Length;)
        {
            long at = offset + i;
            ulong hash = ((ulong)(at / 8) + (key << 40)) * 0x9e3779b97f4a7c15;
            BinaryPrimitives.WriteUInt64LittleEndian(word, hash ^ (hash >> 29));
            int skip = (int)(at % 8);
            int count = Math.Min(8 - skip, destination.Length - i);
            word.Slice(skip, count).CopyTo(destination[i..]);
            i += count;
        }
    }

    private bool SendDatagrams(Connection c)
    {
        int before = _datagramsSent;
        while (_datagramsSent < Datagrams)
        {
            int length = Math.Max(8, c.MaxDatagramSize * (_datagramsSent % 10) / 9);
            Span<byte> datagram = _chunk.AsSpan(0, length);
            FillPattern(datagram, new StreamId((ulong)_datagramsSent), c.Side, 0);
            BinaryPrimitives.WriteUInt64LittleEndian(datagram, (ulong)_datagramsSent);
            if (c.SendDatagram(datagram) != DatagramSend.Ok)
                break;
            _datagramsSent++;
        }

        return _datagramsSent > before;
    }

    private void CheckDatagram(Connection c, Span<byte> datagram)
    {
        if (datagram.Length < sizeof(ulong))
            return; // a test's own, as a sign of life
        ulong number = BinaryPrimitives.ReadUInt64LittleEndian(datagram);
        Assert.True(_datagramsReceived.Add(number), $"Datagram {number} has arrived twice.");
        Span<byte> expected = _expected.AsSpan(0, datagram.Length);
        FillPattern(expected, new StreamId(number), c.Side == Side.Client ? Side.Server : Side.Client, 0);
        Assert.True(expected[8..].SequenceEqual(datagram[8..]), $"Datagram {number} differs from what was sent.");
    }

    private void Start(StreamId id, long size)
    {
        _outgoing.Add(id, new Outgoing { Size = size });
        _writable.Enqueue(id);
    }

    private void StartReading(StreamId id)
    {
        _incoming.Add(id, new Incoming());
        _readable.Enqueue(id);
    }

    private bool Accept(Connection c, StreamDirection direction)
    {
        bool progress = false;
        while (c.TryAcceptStream(direction, out StreamId id))
        {
            StreamsReceived++;
            StartReading(id);
            progress = true;
        }

        return progress;
    }

    private bool ReadAll(Connection c, StreamId id)
    {
        Incoming incoming = _incoming[id];
        bool progress = false;
        while (!incoming.IsEnded)
        {
            StreamRead read = c.Read(id, _chunk);
            if (read.Status == StreamStatus.Blocked)
                return progress;
            progress = true;
            if (read.Status == StreamStatus.Finished)
            {
                incoming.IsEnded = true;
                if (id.Initiator != c.Side && id.Direction == StreamDirection.Bidirectional)
                    Start(id, incoming.Offset);
                return true;
            }

            Assert.Equal(StreamStatus.Ok, read.Status);
            FillPattern(_expected.AsSpan(0, read.Count), id, c.Side == Side.Client ? Side.Server : Side.Client, incoming.Offset);
            if (!_expected.AsSpan(0, read.Count).SequenceEqual(_chunk.AsSpan(0, read.Count)))
                Assert.Fail($"Stream {id}, {read.Count} bytes from offset {incoming.Offset} differ from what was sent.");
            incoming.Offset += read.Count;
            BytesReceived += read.Count;
        }

        return progress;
    }

    private bool WriteAll(Connection c, StreamId id)
    {
        Outgoing outgoing = _outgoing[id];
        bool progress = false;
        while (outgoing.Offset < outgoing.Size)
        {
            int count = (int)Math.Min(_chunk.Length, outgoing.Size - outgoing.Offset);
            FillPattern(_chunk.AsSpan(0, count), id, c.Side, outgoing.Offset);
            StreamWrite write = c.Write(id, _chunk.AsSpan(0, count));
            outgoing.Offset += write.Accepted;
            progress |= write.Accepted > 0;
            if (write.Status == StreamStatus.Blocked)
                return progress;
            Assert.Equal(StreamStatus.Ok, write.Status);
        }

        if (outgoing.IsFinished)
            return progress;
        outgoing.IsFinished = true;
        Assert.Equal(StreamStatus.Ok, c.Finish(id));
        return true;
    }

    private sealed class Outgoing
    {
        public long Size;
        public long Offset;
        public bool IsFinished;
    }

    private sealed class Incoming
    {
        public long Offset;
        public bool IsEnded;
    }
}
