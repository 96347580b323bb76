using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.Streams;

/// <summary>
/// All streams of a connection (RFC 9000 §2 to §4): lets the application open, write and read them, takes the peer's frames in, and
/// fills packets. The rooms behind it meet only here.
/// </summary>
/// <remarks>
/// DEVIATES: DATA_BLOCKED and STREAM_DATA_BLOCKED (SHOULD, §4.1) are not sent. They are hints for debugging the other end's windows;
/// receivers announce new limits by what they read.
/// </remarks>
internal sealed class StreamTable
{
    private readonly StreamConfiguration _configuration;
    private readonly Queue<StreamEvent> _events;
    private readonly StreamDirectory _streams;
    private readonly StreamOutput _output = new();

    // Streams whose writer waits for room in the send window of all streams together, first come first served.
    private readonly LinkedList<SendStream> _waitingWriters = new();

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
        _configuration = configuration;
        _events = events;
        _window = new ReceiveWindow(configuration.Local.MaxData);
        _streams = new StreamDirectory(side, configuration.Local);
    }

    /// <summary>Whether <see cref="WriteFrames"/> would write something into an empty packet. Cheap.</summary>
    public bool HasPendingFrames =>
        _output.HasPending || _isWindowUpdateLost || _window.IsUpdateDue
        || _streams.Local[0].IsBlockedPending || _streams.Local[1].IsBlockedPending
        || _streams.Remote[0].IsLimitPending || _streams.Remote[1].IsLimitPending;

    /// <summary>Bytes written by the application and not yet acknowledged by the peer, on all streams.</summary>
    public long BufferedBytes => _buffered;

    /// <summary>How many sending and receiving halves of streams are not done, whether or not they have cost memory yet.</summary>
    public int LiveHalves => _streams.LiveHalves;

    /// <summary>Memory that stream data takes now, in both directions, in bytes: whole blocks.</summary>
    public long BlockBytes => _streams.BlockBytes;

    /// <summary>
    /// Takes over what the peer allows. May come twice, with remembered values and then the real ones, which are never lower
    /// (RFC 9000 §7.4.1).
    /// </summary>
    public void OnPeerParameters(in StreamLimits peer)
    {
        _output.OnMaxData(peer.MaxData);
        foreach (SendStream stream in _streams.TakePeerLimits(peer))
            _output.Update(stream);
        OnMaxStreams(StreamDirection.Bidirectional, peer.MaxStreamsBidirectional);
        OnMaxStreams(StreamDirection.Unidirectional, peer.MaxStreamsUnidirectional);
    }

    /// <summary>Opens a stream. False at the peer's limit; <see cref="StreamEventKind.StreamsAvailable"/> follows when it moves.</summary>
    public bool TryOpenStream(StreamDirection direction, out StreamId id) => _streams.TryOpen(direction, out id);

    /// <summary>The peer's next stream in the order of ids. False if there is none; <see cref="StreamEventKind.Opened"/> follows.</summary>
    public bool TryAcceptStream(StreamDirection direction, out StreamId id)
    {
        bool accepted = _streams.Remote[(int)direction].TryAccept(out ulong index);
        id = accepted ? StreamId.Create(_streams.Peer, direction, index) : default;
        return accepted;
    }

    /// <summary>Takes as much of <paramref name="data"/> as the send windows have room for.</summary>
    /// <param name="id">The stream.</param>
    /// <param name="data">The caller's again on return.</param>
    public StreamWrite Write(StreamId id, ReadOnlySpan<byte> data)
    {
        if (_streams.FindSending(id) is not { } stream)
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
        if (_streams.FindSending(id) is not { } stream)
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
        if (_streams.FindSending(id) is not { } stream || stream.State >= SendStreamState.ResetSent)
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
        if (_streams.FindReceiving(id) is not { } stream)
            return StreamStatus.Closed;
        StreamStatus status = stream.Stop(ref _window, code);
        AfterReceiving(stream);
        return status;
    }

    /// <summary>Copies received bytes to <paramref name="destination"/>, which is the caller's.</summary>
    public StreamRead Read(StreamId id, Span<byte> destination)
    {
        if (_streams.FindReceiving(id) is not { } stream)
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
        if (_streams.FindReceiving(id) is not { } stream)
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
        if (_streams.FindReceiving(id) is not { } stream)
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
        if (_streams.FindSending(id) is not { } stream || !stream.OnStopSending(code, out long freed))
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
        if (_streams.FindSending(id) is not { } stream)
            return null;
        stream.OnMaxStreamData(limit);
        _output.Update(stream);
        return null;
    }

    /// <summary>MAX_STREAMS came (RFC 9000 §19.11), with a limit of at most 2^60, which its reader has checked.</summary>
    public void OnMaxStreams(StreamDirection direction, ulong limit)
    {
        if (_streams.Local[(int)direction].Raise(limit))
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
        if (frame.Kind is not (SentFrameKind.Stream or SentFrameKind.ResetStream) || _streams.FindSending(frame.StreamId) is not { } stream)
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
            case SentFrameKind.Stream or SentFrameKind.ResetStream when _streams.FindSending(frame.StreamId) is { } stream:
                if (frame.Kind == SentFrameKind.Stream)
                    stream.OnFrameLost(frame);
                else
                    stream.OnResetLost();
                _output.Update(stream);
                break;
            case SentFrameKind.StopSending or SentFrameKind.MaxStreamData when _streams.FindReceiving(frame.StreamId) is { } stream:
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
                _streams.Remote[direction].OnLimitLost(frame.A);
                break;
            case SentFrameKind.StreamsBlocked:
                _streams.Local[direction].OnBlockedLost(frame.A);
                break;
        }
    }

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

        foreach (RemoteStreamCounter counter in _streams.Remote)
        {
            if (!counter.IsLimitPending)
                continue;
            if (!counter.TryWriteLimit(ref writer, out SentFrame frame))
                return false;
            sent.Add(frame);
        }

        foreach (LocalStreamCounter counter in _streams.Local)
        {
            if (!counter.IsBlockedPending)
                continue;
            if (!counter.TryWriteBlocked(ref writer, out SentFrame frame))
                return false;
            sent.Add(frame);
        }

        return true;
    }

    // Whether the peer may name this stream in a frame about what it sends.
    private TransportError? CheckReceiving(StreamId id, ulong frameType)
    {
        TransportError? error = _streams.CheckReceiving(id, frameType, out bool wakeAccepter);
        if (wakeAccepter)
            OnOpened(id.Direction);
        return error;
    }

    // The same for frames about what this end sends.
    private TransportError? CheckSending(StreamId id, ulong frameType)
    {
        TransportError? error = _streams.CheckSending(id, frameType, out bool wakeAccepter);
        if (wakeAccepter)
            OnOpened(id.Direction);
        return error;
    }

    private void OnOpened(StreamDirection direction)
    {
        StreamId next = StreamId.Create(_streams.Peer, direction, _streams.Remote[(int)direction].Accepted);
        _events.Enqueue(new StreamEvent(StreamEventKind.Opened, next, direction));
    }

    private void AfterReceiving(ReceiveStream stream)
    {
        if (!stream.IsDone)
        {
            _output.Update(stream);
            return;
        }

        _output.Remove(stream);
        _streams.Remove(stream);
    }

    private void Remove(SendStream stream)
    {
        _output.Remove(stream);
        StopWaiting(stream);
        _streams.Remove(stream);
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
