using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Streams;

/// <summary>
/// Which streams exist: opens them on either end's word within the limits, finds their halves by id, and takes ended halves back for
/// new streams. A half costs memory from its first use until it is done.
/// </summary>
internal sealed class StreamDirectory
{
    /// <summary>Ended halves kept for new streams: what a busy connection opens and ends within a round trip.</summary>
    private const int RecycledMax = 128;

    private readonly Side _side;
    private readonly StreamLimits _localLimits;
    private readonly BlockPool _blocks = new();
    private readonly LocalStreamCounter[] _local;
    private readonly RemoteStreamCounter[] _remote;

    // A stream has an entry while its half is not done. Null: the peer opened it by naming a higher one and nothing happened on it yet.
    private readonly Dictionary<ulong, SendStream?> _sending = [];
    private readonly Dictionary<ulong, ReceiveStream?> _receiving = [];
    private readonly Stack<SendStream> _recycledSending = new();
    private readonly Stack<ReceiveStream> _recycledReceiving = new();

    private StreamLimits _peerLimits;

    /// <summary>Starts without streams.</summary>
    /// <param name="side">Which end this is.</param>
    /// <param name="localLimits">What this end has declared to the peer.</param>
    public StreamDirectory(Side side, StreamLimits localLimits)
    {
        _side = side;
        _localLimits = localLimits;
        _local = [new(StreamDirection.Bidirectional), new(StreamDirection.Unidirectional)];
        _remote =
        [
            new(StreamDirection.Bidirectional, localLimits.MaxStreamsBidirectional),
            new(StreamDirection.Unidirectional, localLimits.MaxStreamsUnidirectional),
        ];
    }

    /// <summary>How many halves are not done, whether or not they have cost memory yet.</summary>
    public int LiveHalves => _sending.Count + _receiving.Count;

    /// <summary>Memory that stream data takes now, in both directions, in bytes: whole blocks.</summary>
    public long BlockBytes => (long)_blocks.Rented * BlockPool.BlockLength;

    /// <summary>The counts of streams that this end opens, bidirectional first.</summary>
    public ReadOnlySpan<LocalStreamCounter> Local => _local;

    /// <summary>The counts of streams that the peer opens, bidirectional first.</summary>
    public ReadOnlySpan<RemoteStreamCounter> Remote => _remote;

    /// <summary>The other end.</summary>
    public Side Peer => _side == Side.Client ? Side.Server : Side.Client;

    /// <summary>Takes over the peer's limits, for new streams and for those that are open; returns the latter in the order of ids.</summary>
    public List<SendStream> TakePeerLimits(in StreamLimits limits)
    {
        _peerLimits = limits;
        List<SendStream> streams = [];
        foreach (ulong id in _sending.Keys.Order())
        {
            if (_sending[id] is not { } stream)
                continue;
            stream.OnMaxStreamData(InitialSendLimit(stream.Id));
            streams.Add(stream);
        }

        return streams;
    }

    /// <summary>Opens a stream of this end, unless the peer's limit forbids it.</summary>
    public bool TryOpen(StreamDirection direction, out StreamId id)
    {
        bool opened = _local[(int)direction].TryOpen(out ulong index);
        id = opened ? StreamId.Create(_side, direction, index) : default;
        if (!opened)
            return false;
        _sending.Add(id.Value, NewSending(id));
        if (direction == StreamDirection.Bidirectional)
            _receiving.Add(id.Value, NewReceiving(id));
        return true;
    }

    /// <summary>
    /// Checks that the peer may name this stream in a frame about what it sends, and opens the stream if this is its first mention.
    /// </summary>
    /// <param name="id">Any value.</param>
    /// <param name="frameType">For the error.</param>
    /// <param name="wakeAccepter">Whether an application that waits for streams of this kind now has one.</param>
    public TransportError? CheckReceiving(StreamId id, ulong frameType, out bool wakeAccepter)
    {
        wakeAccepter = false;
        if (id.Initiator == _side && id.Direction == StreamDirection.Unidirectional)
            return new TransportError(TransportErrorCode.StreamStateError, frameType, "A frame about received data for a send-only stream.");
        return CheckOpen(id, frameType, out wakeAccepter);
    }

    /// <summary>The same for frames about what this end sends.</summary>
    public TransportError? CheckSending(StreamId id, ulong frameType, out bool wakeAccepter)
    {
        wakeAccepter = false;
        if (id.Initiator != _side && id.Direction == StreamDirection.Unidirectional)
            return new TransportError(TransportErrorCode.StreamStateError, frameType, "A frame about sent data for a receive-only stream.");
        return CheckOpen(id, frameType, out wakeAccepter);
    }

    /// <summary>The sending half, null if there is none or it is done.</summary>
    public SendStream? FindSending(StreamId id)
    {
        ref SendStream? entry = ref CollectionsMarshal.GetValueRefOrNullRef(_sending, id.Value);
        return Unsafe.IsNullRef(ref entry) ? null : entry ??= NewSending(id);
    }

    /// <summary>The receiving half, null if there is none or it is done.</summary>
    public ReceiveStream? FindReceiving(StreamId id)
    {
        ref ReceiveStream? entry = ref CollectionsMarshal.GetValueRefOrNullRef(_receiving, id.Value);
        return Unsafe.IsNullRef(ref entry) ? null : entry ??= NewReceiving(id);
    }

    /// <summary>Takes back a half that is done and in no list any more.</summary>
    public void Remove(SendStream stream)
    {
        StreamId id = stream.Id;
        _sending.Remove(id.Value);
        stream.Recycle();
        if (_recycledSending.Count < RecycledMax)
            _recycledSending.Push(stream);
        OnHalfGone(id);
    }

    /// <summary>The same for a receiving half.</summary>
    public void Remove(ReceiveStream stream)
    {
        StreamId id = stream.Id;
        _receiving.Remove(id.Value);
        stream.Recycle();
        if (_recycledReceiving.Count < RecycledMax)
            _recycledReceiving.Push(stream);
        OnHalfGone(id);
    }

    private TransportError? CheckOpen(StreamId id, ulong frameType, out bool wakeAccepter)
    {
        wakeAccepter = false;
        if (id.Initiator == _side)
        {
            return id.Index < _local[(int)id.Direction].Opened
                ? null
                : new TransportError(TransportErrorCode.StreamStateError, frameType, "A frame for a stream that was never opened.");
        }

        RemoteStreamCounter counter = _remote[(int)id.Direction];
        if (id.Index < counter.Opened)
            return null;
        if (!counter.Allows(id.Index))
            return new TransportError(TransportErrorCode.StreamLimitError, frameType, "More streams than the limit allows.");

        // RFC 9000 §2.1: naming a stream opens all lower ones of its kind. The limit, which is ours, bounds how many.
        for (ulong index = counter.Opened; index <= id.Index; index++)
        {
            ulong opened = StreamId.Create(Peer, id.Direction, index).Value;
            _receiving.Add(opened, null);
            if (id.Direction == StreamDirection.Bidirectional)
                _sending.Add(opened, null);
        }

        wakeAccepter = counter.Open(id.Index);
        return null;
    }

    private void OnHalfGone(StreamId id)
    {
        if (id.Initiator != _side && !_sending.ContainsKey(id.Value) && !_receiving.ContainsKey(id.Value))
            _remote[(int)id.Direction].OnGone();
    }

    private SendStream NewSending(StreamId id)
    {
        if (!_recycledSending.TryPop(out SendStream? stream))
            stream = new SendStream(_blocks);
        stream.Open(id, InitialSendLimit(id));
        return stream;
    }

    private ReceiveStream NewReceiving(StreamId id)
    {
        if (!_recycledReceiving.TryPop(out ReceiveStream? stream))
            stream = new ReceiveStream(_blocks);
        stream.Open(id, InitialReceiveWindow(id));
        return stream;
    }

    // "Local" in an end's parameters are the streams that this end opens (RFC 9000 §18.2).
    private ulong InitialReceiveWindow(StreamId id) =>
        id.Direction == StreamDirection.Unidirectional ? _localLimits.MaxStreamDataUnidirectional
        : id.Initiator == _side ? _localLimits.MaxStreamDataBidirectionalLocal
        : _localLimits.MaxStreamDataBidirectionalRemote;

    private ulong InitialSendLimit(StreamId id) =>
        id.Direction == StreamDirection.Unidirectional ? _peerLimits.MaxStreamDataUnidirectional
        : id.Initiator == _side ? _peerLimits.MaxStreamDataBidirectionalRemote
        : _peerLimits.MaxStreamDataBidirectionalLocal;
}
