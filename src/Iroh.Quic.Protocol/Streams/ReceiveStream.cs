using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.Streams;

/// <summary>The states of the receiving half of a stream.</summary>
/// <remarks>
/// <code>
/// RFC 9000 §3.2, figure 3
///   Receive               -- STREAM with FIN        --> SizeKnown
///   SizeKnown             -- all data has arrived   --> DataReceived
///   Receive, SizeKnown    -- RESET_STREAM           --> ResetReceived
///   DataReceived          -- application read all   --> DataRead     gone
///   ResetReceived         -- application was told   --> ResetRead    gone
/// An application that stops reading (STOP_SENDING, §3.5) goes to DataRead or ResetRead as soon as the final size is known.
/// </code>
/// </remarks>
internal enum ReceiveStreamState
{
    /// <summary>Data arrives; the end is not known.</summary>
    Receive,

    /// <summary>The end is known, some data is missing.</summary>
    SizeKnown,

    /// <summary>All data has arrived.</summary>
    DataReceived,

    /// <summary>The peer gave the stream up.</summary>
    ResetReceived,

    /// <summary>The application has all data, or wanted no more.</summary>
    DataRead,

    /// <summary>The application knows of the reset, or wanted no more.</summary>
    ResetRead,
}

/// <summary>
/// The receiving half of one stream: what has arrived, how far the peer may go, and what its end is. Recycled: <see cref="Open"/>
/// starts it for a stream, <see cref="Recycle"/> ends that.
/// </summary>
internal sealed class ReceiveStream
{
    private readonly ReassemblyBuffer _buffer;
    private ReceiveWindow _window;
    private ulong _finalSize;
    private ulong _resetCode;
    private bool _isReaderWaiting;
    private bool _stopped;
    private bool _stopPending;
    private ulong _stopCode;
    private bool _limitPending;

    /// <summary>Creates the object; <see cref="Open"/> makes it a stream.</summary>
    public ReceiveStream(BlockPool pool)
    {
        _buffer = new ReassemblyBuffer(pool);
        ControlNode = new LinkedListNode<ReceiveStream>(this);
    }

    /// <summary>The stream.</summary>
    public StreamId Id { get; private set; }

    /// <summary>Where it is in its life.</summary>
    public ReceiveStreamState State { get; private set; }

    /// <summary>Its place among the streams with STOP_SENDING or MAX_STREAM_DATA to send.</summary>
    public LinkedListNode<ReceiveStream> ControlNode { get; }

    /// <summary>Whether STOP_SENDING or MAX_STREAM_DATA is to be sent.</summary>
    public bool HasControl => State == ReceiveStreamState.Receive && (_stopped ? _stopPending : _limitPending);

    /// <summary>Whether nothing more can happen to this half.</summary>
    public bool IsDone => State >= ReceiveStreamState.DataRead;

    /// <summary>The application error code of the peer's reset, in <see cref="ReceiveStreamState.ResetReceived"/>.</summary>
    public ulong ResetCode => _resetCode;

    /// <summary>Starts a stream on this object, with a reader that waits for its first byte.</summary>
    /// <param name="id">The stream.</param>
    /// <param name="window">Its receive window in bytes, which the transport parameters have announced.</param>
    public void Open(StreamId id, ulong window)
    {
        Id = id;
        State = ReceiveStreamState.Receive;
        _window = new ReceiveWindow(window);
        _isReaderWaiting = true;
    }

    /// <summary>Ends the stream of this object and gives all memory back.</summary>
    public void Recycle()
    {
        _buffer.Reset();
        _finalSize = _resetCode = _stopCode = 0;
        _stopped = _stopPending = _limitPending = false;
    }

    /// <summary>Takes the content of a STREAM frame (RFC 9000 §19.8).</summary>
    /// <param name="connection">The window of all streams together, which counts new bytes.</param>
    /// <param name="offset">At most 2^62-1.</param>
    /// <param name="data">The caller's again on return.</param>
    /// <param name="fin">Whether this is the end of the stream.</param>
    public TransportError? OnData(ref ReceiveWindow connection, ulong offset, ReadOnlySpan<byte> data, bool fin)
    {
        ulong end = offset + (uint)data.Length;
        if (Count(ref connection, end, fin, FrameType.Stream) is { } error)
            return error;
        if (fin && State == ReceiveStreamState.Receive)
        {
            _finalSize = end;
            State = ReceiveStreamState.SizeKnown;
        }

        if (_stopped)
        {
            ConsumeAll(ref connection);
            if (State == ReceiveStreamState.SizeKnown)
                State = ReceiveStreamState.DataRead;
            return null;
        }

        if (State > ReceiveStreamState.SizeKnown)
            return null; // nothing can be new
        if (!_buffer.TryInsert(offset, data))
            return new TransportError(TransportErrorCode.InternalError, FrameType.Stream, "Too many gaps in a stream.");
        if (State == ReceiveStreamState.SizeKnown && _buffer.Contiguous == _finalSize)
            State = ReceiveStreamState.DataReceived;
        return null;
    }

    /// <summary>Takes RESET_STREAM (RFC 9000 §19.4).</summary>
    /// <param name="connection">The window of all streams together, which counts bytes up to the final size.</param>
    /// <param name="code">The peer's application error code.</param>
    /// <param name="finalSize">At most 2^62-1.</param>
    public TransportError? OnReset(ref ReceiveWindow connection, ulong code, ulong finalSize)
    {
        if (Count(ref connection, finalSize, isFinal: true, FrameType.ResetStream) is { } error)
            return error;
        if (State > ReceiveStreamState.SizeKnown)
            return null; // all data is there already, or a repeated reset (RFC 9000 §3.2)
        _finalSize = finalSize;
        _resetCode = code;
        _buffer.Discard();
        ConsumeAll(ref connection);
        State = _stopped ? ReceiveStreamState.ResetRead : ReceiveStreamState.ResetReceived;
        return null;
    }

    /// <summary>Copies data out for the application, or tells it how the stream ended.</summary>
    public StreamRead Read(ref ReceiveWindow connection, Span<byte> destination)
    {
        if (_stopped)
            return new StreamRead(0, StreamStatus.Closed);
        if (State == ReceiveStreamState.ResetReceived)
        {
            State = ReceiveStreamState.ResetRead;
            return new StreamRead(0, StreamStatus.Reset, _resetCode);
        }

        if (_buffer.ReadOffset < _buffer.Contiguous)
        {
            int count = _buffer.Read(destination);
            connection.Consume((uint)count);
            _window.Consume((uint)count);
            _limitPending |= _window.IsUpdateDue;
            return new StreamRead(count, StreamStatus.Ok);
        }

        if (State == ReceiveStreamState.DataReceived)
        {
            State = ReceiveStreamState.DataRead;
            return new StreamRead(0, StreamStatus.Finished);
        }

        _isReaderWaiting = true;
        return new StreamRead(0, StreamStatus.Blocked);
    }

    /// <summary>The application wants no more: buffered data goes, and STOP_SENDING is queued if the peer may still send.</summary>
    public StreamStatus Stop(ref ReceiveWindow connection, ulong code)
    {
        if (_stopped)
            return StreamStatus.Closed;
        _stopped = true;
        _stopCode = code;
        _buffer.Discard();
        ConsumeAll(ref connection);

        // With the final size known, all that counts is counted. STOP_SENDING would only keep the peer from repairing losses, and late
        // frames of a stream that is gone are ignored.
        _stopPending = State == ReceiveStreamState.Receive;
        if (State == ReceiveStreamState.ResetReceived)
            State = ReceiveStreamState.ResetRead;
        else if (State != ReceiveStreamState.Receive)
            State = ReceiveStreamState.DataRead;
        return StreamStatus.Ok;
    }

    /// <summary>Whether a waiting reader now has something to read; true once until it waits again.</summary>
    public bool TakeReadable()
    {
        bool readable = _isReaderWaiting && !_stopped
            && (_buffer.ReadOffset < _buffer.Contiguous || State is ReceiveStreamState.DataReceived or ReceiveStreamState.ResetReceived);
        _isReaderWaiting &= !readable;
        return readable;
    }

    /// <summary>Writes the STOP_SENDING or MAX_STREAM_DATA that is pending (<see cref="HasControl"/>) if it fits.</summary>
    public bool TryWriteControl(ref WireWriter writer, out SentFrame frame)
    {
        frame = default;
        if (_stopped)
        {
            var stop = new StopSendingFrame(Id, _stopCode);
            if (writer.Remaining < stop.EncodedLength)
                return false;
            stop.Write(ref writer);
            _stopPending = false;
            frame = new SentFrame(SentFrameKind.StopSending, false, Id.Value, 0, 0);
            return true;
        }

        var limit = new MaxStreamDataFrame(Id, _window.NextLimit);
        if (writer.Remaining < limit.EncodedLength)
            return false;
        limit.Write(ref writer);
        _window.Announce();
        _limitPending = false;
        frame = new SentFrame(SentFrameKind.MaxStreamData, false, Id.Value, limit.Maximum, 0);
        return true;
    }

    /// <summary>STOP_SENDING was lost.</summary>
    public void OnStopSendingLost() => _stopPending = true;

    /// <summary>MAX_STREAM_DATA with <paramref name="limit"/> was lost; a later one that is in flight or pending makes up for it.</summary>
    public void OnMaxStreamDataLost(ulong limit) => _limitPending |= limit == _window.Limit;

    // Checks a frame that ends at `end` against the final size (RFC 9000 §4.5) and both windows (§4.1), and counts new bytes.
    private TransportError? Count(ref ReceiveWindow connection, ulong end, bool isFinal, ulong frameType)
    {
        bool isSizeKnown = State != ReceiveStreamState.Receive;
        if (isSizeKnown && (isFinal ? end != _finalSize : end > _finalSize))
            return new TransportError(TransportErrorCode.FinalSizeError, frameType, "The final size of a stream changed or was exceeded.");
        if (isFinal && end < _window.Received)
            return new TransportError(TransportErrorCode.FinalSizeError, frameType, "The final size of a stream is below data received.");
        if (end <= _window.Received)
            return null;
        ulong fresh = end - _window.Received;
        if (!_window.Allows(fresh))
            return new TransportError(TransportErrorCode.FlowControlError, frameType, "More data on a stream than its limit allows.");
        if (!connection.Allows(fresh))
            return new TransportError(TransportErrorCode.FlowControlError, frameType, "More data on all streams than the limit allows.");
        _window.Receive(fresh);
        connection.Receive(fresh);
        return null;
    }

    private void ConsumeAll(ref ReceiveWindow connection)
    {
        ulong rest = _window.Received - _window.Consumed;
        _window.Consume(rest);
        connection.Consume(rest);
    }
}
