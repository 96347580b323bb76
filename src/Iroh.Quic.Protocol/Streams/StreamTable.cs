using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.Streams;

/// <summary>
/// All streams of a connection (RFC 9000 §2 to §4): opens and finds them, lets the application write and read, takes the peer's frames
/// in, and fills packets. A stream costs memory from its first use until both halves are done.
/// </summary>
/// <remarks>
/// DEVIATES: DATA_BLOCKED and STREAM_DATA_BLOCKED (SHOULD, §4.1) are not sent. They are hints for debugging the other end's windows;
/// receivers announce new limits by what they read.
/// </remarks>
internal sealed class StreamTable
{
    /// <summary>Ended halves kept for new streams: what a busy connection opens and ends within a round trip.</summary>
    private const int RecycledMax = 128;

    private readonly Side _side;
    private readonly StreamConfiguration _configuration;
    private readonly Queue<StreamEvent> _events;
    private readonly BlockPool _blocks = new();
    private readonly StreamOutput _output = new();
    private readonly LocalStreamCounter[] _local;
    private readonly RemoteStreamCounter[] _remote;

    // A stream has an entry while its half is not done. Null: the peer opened it by naming a higher one and nothing happened on it yet.
    private readonly Dictionary<ulong, SendStream?> _sending = [];
    private readonly Dictionary<ulong, ReceiveStream?> _receiving = [];
    private readonly Stack<SendStream> _recycledSending = new();
    private readonly Stack<ReceiveStream> _recycledReceiving = new();

    // Streams whose writer waits for room in the send window of all streams together, first come first served.
    private readonly LinkedList<SendStream> _waitingWriters = new();

    private StreamLimits _peer;
    private ReceiveWindow _window;
    private bool _isWindowUpdateLost;
    private long _buffered;

    /// <summary>Starts without streams, and with none allowed until <see cref="OnPeerParameters"/>.</summary>
    /// <param name="side">Which end this is.</param>
    /// <param name="configuration">This end's limits; the local ones go into its transport parameters.</param>
    /// <param name="events">Where events are appended; the owner empties it after every call.</param>
    public StreamTable(Side side, StreamConfiguration configuration, Queue<StreamEvent> events)
    {
        configuration.Validate();
        _side = side;
        _configuration = configuration;
        _events = events;
        _window = new ReceiveWindow(configuration.Local.MaxData);
        _local = [new(StreamDirection.Bidirectional), new(StreamDirection.Unidirectional)];
        _remote =
        [
            new(StreamDirection.Bidirectional, configuration.Local.MaxStreamsBidirectional),
            new(StreamDirection.Unidirectional, configuration.Local.MaxStreamsUnidirectional),
        ];
    }

    /// <summary>Whether <see cref="WriteFrames"/> would write something into an empty packet. Cheap.</summary>
    public bool HasPendingFrames =>
        _output.HasPending || _isWindowUpdateLost || _window.IsUpdateDue
        || _local[0].IsBlockedPending || _local[1].IsBlockedPending
        || _remote[0].IsLimitPending || _remote[1].IsLimitPending;

    /// <summary>Bytes written by the application and not yet acknowledged by the peer, on all streams.</summary>
    public long BufferedBytes => _buffered;

    /// <summary>How many sending and receiving halves of streams are not done, whether or not they have cost memory yet.</summary>
    public int LiveHalves => _sending.Count + _receiving.Count;

    /// <summary>Memory that stream data takes now, in both directions, in bytes: whole blocks.</summary>
    public long BlockBytes => (long)_blocks.Rented * BlockPool.BlockLength;

    /// <summary>
    /// Takes over what the peer allows. May come twice, with remembered values and then the real ones, which are never lower
    /// (RFC 9000 §7.4.1).
    /// </summary>
    public void OnPeerParameters(in StreamLimits peer)
    {
        _peer = peer;
        _output.OnMaxData(peer.MaxData);
        foreach (ulong id in _sending.Keys.Order()) // in order, as it decides who sends first; there are few, and this comes once or twice
        {
            if (_sending[id] is not { } stream)
                continue;
            stream.OnMaxStreamData(InitialSendLimit(stream.Id));
            _output.Update(stream);
        }

        OnMaxStreams(StreamDirection.Bidirectional, peer.MaxStreamsBidirectional);
        OnMaxStreams(StreamDirection.Unidirectional, peer.MaxStreamsUnidirectional);
    }

    /// <summary>Opens a stream. False at the peer's limit; <see cref="StreamEventKind.StreamsAvailable"/> follows when it moves.</summary>
    public bool TryOpenStream(StreamDirection direction, out StreamId id)
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

    /// <summary>The peer's next stream in the order of ids. False if there is none; <see cref="StreamEventKind.Opened"/> follows.</summary>
    public bool TryAcceptStream(StreamDirection direction, out StreamId id)
    {
        bool accepted = _remote[(int)direction].TryAccept(out ulong index);
        id = accepted ? StreamId.Create(Peer, direction, index) : default;
        return accepted;
    }

    /// <summary>Takes as much of <paramref name="data"/> as the send windows have room for.</summary>
    /// <param name="id">The stream.</param>
    /// <param name="data">The caller's again on return.</param>
    public StreamWrite Write(StreamId id, ReadOnlySpan<byte> data)
    {
        if (FindSending(id) is not { } stream)
            return new StreamWrite(0, StreamStatus.Closed);
        (StreamStatus status, ulong code) = stream.WriterStatus;
        if (status != StreamStatus.Ok)
            return new StreamWrite(0, status, code);

        long roomInStream = _configuration.StreamSendWindow - stream.Buffered;
        long roomInAll = _configuration.SendWindow - _buffered;
        int count = (int)Math.Max(0, Math.Min(data.Length, Math.Min(roomInStream, roomInAll)));
        if (count > 0)
        {
            StopWaiting(stream);
            stream.Append(data[..count]);
            _buffered += count;
            _output.Update(stream);
        }

        if (count == data.Length)
            return new StreamWrite(count, StreamStatus.Ok);
        stream.IsWriterBlocked = true;
        if (roomInAll <= roomInStream && stream.WaitingNode.List is null)
            _waitingWriters.AddLast(stream.WaitingNode);
        return new StreamWrite(count, StreamStatus.Blocked);
    }

    /// <summary>Ends the stream after what was written. Ok, Stopped, or Closed if it was ended or given up before.</summary>
    public StreamStatus Finish(StreamId id)
    {
        if (FindSending(id) is not { } stream)
            return StreamStatus.Closed;
        StreamStatus status = stream.WriterStatus.Status;
        if (status != StreamStatus.Ok)
            return status;
        stream.Finish();
        StopWaiting(stream);
        _output.Update(stream);
        return StreamStatus.Ok;
    }

    /// <summary>Gives the sending half up: what was not sent is dropped and RESET_STREAM goes out. Closed if it is gone already.</summary>
    /// <param name="id">The stream.</param>
    /// <param name="code">The application's reason, at most 2^62-1.</param>
    public StreamStatus Reset(StreamId id, ulong code)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(code, VarInt.Max);
        if (FindSending(id) is not { } stream || stream.State >= SendStreamState.ResetSent)
            return StreamStatus.Closed;
        long freed = stream.Reset(code);
        StopWaiting(stream);
        _output.Update(stream);
        OnFreed(freed);
        return StreamStatus.Ok;
    }

    /// <summary>Gives the receiving half up: STOP_SENDING goes out if the peer may still send. Closed if it is gone already.</summary>
    /// <param name="id">The stream.</param>
    /// <param name="code">The application's reason, at most 2^62-1.</param>
    public StreamStatus StopSending(StreamId id, ulong code)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(code, VarInt.Max);
        if (FindReceiving(id) is not { } stream)
            return StreamStatus.Closed;
        StreamStatus status = stream.Stop(ref _window, code);
        AfterReceiving(stream);
        return status;
    }

    /// <summary>Copies received bytes to <paramref name="destination"/>, which is the caller's.</summary>
    public StreamRead Read(StreamId id, Span<byte> destination)
    {
        if (FindReceiving(id) is not { } stream)
            return new StreamRead(0, StreamStatus.Closed);
        StreamRead result = stream.Read(ref _window, destination);
        if (result.Status != StreamStatus.Blocked)
            AfterReceiving(stream);
        return result;
    }

    /// <summary>A STREAM frame came (RFC 9000 §19.8). The data is the caller's again on return.</summary>
    public TransportError? OnStreamFrame(StreamId id, ulong offset, ReadOnlySpan<byte> data, bool fin)
    {
        if (CheckReceiving(id, FrameType.Stream) is { } error)
            return error;
        if (FindReceiving(id) is not { } stream)
            return null; // late, for a stream that is gone
        error = stream.OnData(ref _window, offset, data, fin);
        if (error is null && stream.TakeReadable())
            _events.Enqueue(new StreamEvent(StreamEventKind.Readable, id, id.Direction));
        AfterReceiving(stream);
        return error;
    }

    /// <summary>RESET_STREAM came (RFC 9000 §19.4).</summary>
    public TransportError? OnResetStream(StreamId id, ulong code, ulong finalSize)
    {
        if (CheckReceiving(id, FrameType.ResetStream) is { } error)
            return error;
        if (FindReceiving(id) is not { } stream)
            return null;
        bool wasReset = stream.State == ReceiveStreamState.ResetReceived;
        error = stream.OnReset(ref _window, code, finalSize);
        if (error is null && !wasReset && stream.State == ReceiveStreamState.ResetReceived)
        {
            stream.TakeReadable(); // this event says it
            _events.Enqueue(new StreamEvent(StreamEventKind.ResetReceived, id, id.Direction, code));
        }

        AfterReceiving(stream);
        return error;
    }

    /// <summary>STOP_SENDING came (RFC 9000 §19.5).</summary>
    public TransportError? OnStopSending(StreamId id, ulong code)
    {
        if (CheckSending(id, FrameType.StopSending) is { } error)
            return error;
        if (FindSending(id) is not { } stream || !stream.OnStopSending(code, out long freed))
            return null;
        StopWaiting(stream);
        _output.Update(stream);
        _events.Enqueue(new StreamEvent(StreamEventKind.Stopped, id, id.Direction, code));
        OnFreed(freed);
        return null;
    }

    /// <summary>MAX_DATA came (RFC 9000 §19.9).</summary>
    public void OnMaxData(ulong limit) => _output.OnMaxData(limit);

    /// <summary>MAX_STREAM_DATA came (RFC 9000 §19.10).</summary>
    public TransportError? OnMaxStreamData(StreamId id, ulong limit)
    {
        if (CheckSending(id, FrameType.MaxStreamData) is { } error)
            return error;
        if (FindSending(id) is not { } stream)
            return null;
        stream.OnMaxStreamData(limit);
        _output.Update(stream);
        return null;
    }

    /// <summary>MAX_STREAMS came (RFC 9000 §19.11), with a limit of at most 2^60, which its reader has checked.</summary>
    public void OnMaxStreams(StreamDirection direction, ulong limit)
    {
        if (_local[(int)direction].Raise(limit))
            _events.Enqueue(new StreamEvent(StreamEventKind.StreamsAvailable, default, direction));
    }

    /// <summary>STREAM_DATA_BLOCKED came (RFC 9000 §19.13). It may open a stream; windows move by what is read, whatever it says.</summary>
    public TransportError? OnStreamDataBlocked(StreamId id) => CheckReceiving(id, FrameType.StreamDataBlocked);

    /// <summary>Fills the rest of a packet: control frames first, then stream data.</summary>
    /// <param name="writer">
    /// Ends where the packet's payload must end. A last STREAM frame that reaches this end has no length field, so no frame or padding
    /// may follow it; in all other cases room remains.
    /// </param>
    /// <param name="sent">Gets what was written.</param>
    public void WriteFrames(ref WireWriter writer, SentFrameList sent)
    {
        if (WriteConnectionFrames(ref writer, sent) && _output.WriteControlFrames(ref writer, sent))
            _output.WriteStreamFrames(ref writer, sent);
    }

    /// <summary>A frame written here has arrived.</summary>
    public void OnFrameAcknowledged(in SentFrame frame)
    {
        if (frame.Kind is not (SentFrameKind.Stream or SentFrameKind.ResetStream) || FindSending(frame.StreamId) is not { } stream)
            return;
        if (frame.Kind == SentFrameKind.ResetStream)
        {
            stream.OnResetAcknowledged();
        }
        else
        {
            long freed = stream.OnFrameAcknowledged(frame);
            _output.Update(stream);
            WakeWriter(stream);
            OnFreed(freed);
        }

        if (!stream.IsDone)
            return;
        if (stream.State == SendStreamState.DataReceived)
            _events.Enqueue(new StreamEvent(StreamEventKind.Finished, stream.Id, stream.Id.Direction));
        Remove(stream);
    }

    /// <summary>A frame written here was lost: what is still true of it is sent again (RFC 9000 §13.3).</summary>
    public void OnFrameLost(in SentFrame frame)
    {
        int direction = frame.Flag ? (int)StreamDirection.Unidirectional : (int)StreamDirection.Bidirectional;
        switch (frame.Kind)
        {
            case SentFrameKind.Stream or SentFrameKind.ResetStream when FindSending(frame.StreamId) is { } stream:
                if (frame.Kind == SentFrameKind.Stream)
                    stream.OnFrameLost(frame);
                else
                    stream.OnResetLost();
                _output.Update(stream);
                break;
            case SentFrameKind.StopSending or SentFrameKind.MaxStreamData when FindReceiving(frame.StreamId) is { } stream:
                if (frame.Kind == SentFrameKind.StopSending)
                    stream.OnStopSendingLost();
                else
                    stream.OnMaxStreamDataLost(frame.A);
                _output.Update(stream);
                break;
            case SentFrameKind.MaxData:
                _isWindowUpdateLost |= frame.A == _window.Limit; // a later one makes up for it
                break;
            case SentFrameKind.MaxStreams:
                _remote[direction].OnLimitLost(frame.A);
                break;
            case SentFrameKind.StreamsBlocked:
                _local[direction].OnBlockedLost(frame.A);
                break;
        }
    }

    private Side Peer => _side == Side.Client ? Side.Server : Side.Client;

    private bool WriteConnectionFrames(ref WireWriter writer, SentFrameList sent)
    {
        if (_isWindowUpdateLost || _window.IsUpdateDue)
        {
            var limit = new MaxDataFrame(_window.NextLimit);
            if (writer.Remaining < limit.EncodedLength)
                return false;
            limit.Write(ref writer);
            _window.Announce();
            _isWindowUpdateLost = false;
            sent.Add(new SentFrame(SentFrameKind.MaxData, false, 0, limit.Maximum, 0));
        }

        foreach (RemoteStreamCounter counter in _remote)
        {
            if (!counter.IsLimitPending)
                continue;
            if (!counter.TryWriteLimit(ref writer, out SentFrame frame))
                return false;
            sent.Add(frame);
        }

        foreach (LocalStreamCounter counter in _local)
        {
            if (!counter.IsBlockedPending)
                continue;
            if (!counter.TryWriteBlocked(ref writer, out SentFrame frame))
                return false;
            sent.Add(frame);
        }

        return true;
    }

    // Whether the peer may name this stream in a frame about what it sends; opens the stream if the peer has just done so.
    private TransportError? CheckReceiving(StreamId id, ulong frameType)
    {
        if (id.Initiator == _side && id.Direction == StreamDirection.Unidirectional)
            return new TransportError(TransportErrorCode.StreamStateError, frameType, "A frame for a stream that only this end sends on.");
        return CheckOpen(id, frameType);
    }

    // The same for frames about what this end sends.
    private TransportError? CheckSending(StreamId id, ulong frameType)
    {
        if (id.Initiator != _side && id.Direction == StreamDirection.Unidirectional)
            return new TransportError(TransportErrorCode.StreamStateError, frameType, "A frame for a stream that only its sender sends on.");
        return CheckOpen(id, frameType);
    }

    private TransportError? CheckOpen(StreamId id, ulong frameType)
    {
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

        ulong first = counter.Accepted;
        if (counter.Open(id.Index))
            _events.Enqueue(new StreamEvent(StreamEventKind.Opened, StreamId.Create(Peer, id.Direction, first), id.Direction));
        return null;
    }

    private SendStream? FindSending(StreamId id)
    {
        ref SendStream? entry = ref CollectionsMarshal.GetValueRefOrNullRef(_sending, id.Value);
        return Unsafe.IsNullRef(ref entry) ? null : entry ??= NewSending(id);
    }

    private ReceiveStream? FindReceiving(StreamId id)
    {
        ref ReceiveStream? entry = ref CollectionsMarshal.GetValueRefOrNullRef(_receiving, id.Value);
        return Unsafe.IsNullRef(ref entry) ? null : entry ??= NewReceiving(id);
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
        StreamLimits local = _configuration.Local;
        stream.Open(id, id.Direction == StreamDirection.Unidirectional ? local.MaxStreamDataUnidirectional
            : id.Initiator == _side ? local.MaxStreamDataBidirectionalLocal
            : local.MaxStreamDataBidirectionalRemote);
        return stream;
    }

    // "Local" in the peer's parameters are the streams that the peer opens.
    private ulong InitialSendLimit(StreamId id) =>
        id.Direction == StreamDirection.Unidirectional ? _peer.MaxStreamDataUnidirectional
        : id.Initiator == _side ? _peer.MaxStreamDataBidirectionalRemote
        : _peer.MaxStreamDataBidirectionalLocal;

    private void AfterReceiving(ReceiveStream stream)
    {
        if (!stream.IsDone)
        {
            _output.Update(stream);
            return;
        }

        StreamId id = stream.Id;
        _receiving.Remove(id.Value);
        _output.Remove(stream);
        stream.Recycle();
        if (_recycledReceiving.Count < RecycledMax)
            _recycledReceiving.Push(stream);
        OnHalfGone(id);
    }

    private void Remove(SendStream stream)
    {
        StreamId id = stream.Id;
        _sending.Remove(id.Value);
        _output.Remove(stream);
        StopWaiting(stream);
        stream.Recycle();
        if (_recycledSending.Count < RecycledMax)
            _recycledSending.Push(stream);
        OnHalfGone(id);
    }

    private void OnHalfGone(StreamId id)
    {
        if (id.Initiator != _side && !_sending.ContainsKey(id.Value) && !_receiving.ContainsKey(id.Value))
            _remote[(int)id.Direction].OnGone();
    }

    private void StopWaiting(SendStream stream)
    {
        stream.IsWriterBlocked = false;
        if (stream.WaitingNode.List is not null)
            _waitingWriters.Remove(stream.WaitingNode);
    }

    // Wakes a blocked writer once an eighth of the window is free: often enough that the window never runs dry, and not for each packet.
    private void WakeWriter(SendStream stream)
    {
        long window = _configuration.StreamSendWindow;
        if (!stream.IsWriterBlocked || stream.WaitingNode.List is not null || window - stream.Buffered < Math.Max(1, window / 8))
            return;
        stream.IsWriterBlocked = false;
        _events.Enqueue(new StreamEvent(StreamEventKind.Writable, stream.Id, stream.Id.Direction));
    }

    // The same for the window of all streams together.
    private void OnFreed(long count)
    {
        _buffered -= count;
        long window = _configuration.SendWindow;
        if (_waitingWriters.Count == 0 || window - _buffered < Math.Max(1, window / 8))
            return;
        while (_waitingWriters.First is { } node)
        {
            _waitingWriters.Remove(node);
            WakeWriter(node.Value);
        }
    }
}
