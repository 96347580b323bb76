using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.Streams;

/// <summary>The states of the sending half of a stream.</summary>
/// <remarks>
/// <code>
/// RFC 9000 §3.1, figure 2
///   Ready, Send            -- STREAM sent            --> Send
///   Ready, Send            -- STREAM with FIN sent   --> DataSent
///   Ready, Send, DataSent  -- reset, or STOP_SENDING --> ResetSent       RESET_STREAM is queued
///   DataSent               -- all acknowledged       --> DataReceived    gone
///   ResetSent              -- reset acknowledged     --> ResetReceived   gone
/// </code>
/// </remarks>
internal enum SendStreamState
{
    /// <summary>Nothing was sent.</summary>
    Ready,

    /// <summary>Data was sent, the end was not.</summary>
    Send,

    /// <summary>All data and the end were sent; some of it may be lost and sent again.</summary>
    DataSent,

    /// <summary>Given up; RESET_STREAM is queued or in flight.</summary>
    ResetSent,

    /// <summary>The peer has everything.</summary>
    DataReceived,

    /// <summary>The peer knows of the reset.</summary>
    ResetReceived,
}

/// <summary>
/// The sending half of one stream: what the application wrote, how far the peer allows it to go, and what its end was. Recycled:
/// <see cref="Open"/> starts it for a stream, <see cref="Recycle"/> ends that.
/// </summary>
internal sealed class SendStream
{
    /// <summary>
    /// A frame that has to split its data leaves the rest of the packet empty rather than carry fewer bytes than this: a header costs up
    /// to 19 bytes.
    /// </summary>
    private const int FragmentLengthMin = 32;

    private readonly SendBuffer _buffer;
    private ulong _limit;
    private bool _finished;
    private bool _finishPending;
    private bool _finishAcknowledged;
    private bool _resetPending;
    private bool _stopped;
    private ulong _code;

    /// <summary>Creates the object; <see cref="Open"/> makes it a stream.</summary>
    public SendStream(BlockPool pool)
    {
        _buffer = new SendBuffer(pool);
        FreshNode = new LinkedListNode<SendStream>(this);
        RepairNode = new LinkedListNode<SendStream>(this);
        ResetNode = new LinkedListNode<SendStream>(this);
        WaitingNode = new LinkedListNode<SendStream>(this);
    }

    /// <summary>The stream.</summary>
    public StreamId Id { get; private set; }

    /// <summary>Where it is in its life.</summary>
    public SendStreamState State { get; private set; }

    /// <summary>Its place among the streams with new data to send.</summary>
    public LinkedListNode<SendStream> FreshNode { get; }

    /// <summary>Its place among the streams that send again, or an end alone: what needs no flow control credit.</summary>
    public LinkedListNode<SendStream> RepairNode { get; }

    /// <summary>Its place among the streams with a RESET_STREAM to send.</summary>
    public LinkedListNode<SendStream> ResetNode { get; }

    /// <summary>Its place among the streams whose writer waits for room in the connection's send window.</summary>
    public LinkedListNode<SendStream> WaitingNode { get; }

    /// <summary>Whether the last write was not taken whole for want of room in this stream's own window.</summary>
    public bool IsWriterBlocked { get; set; }

    /// <summary>Bytes that are written and not acknowledged.</summary>
    public long Buffered => _buffer.Buffered;

    /// <summary>Whether there is new data that the stream's limit allows.</summary>
    public bool HasFresh => State < SendStreamState.ResetSent && _buffer.Sent < Math.Min(_buffer.End, _limit);

    /// <summary>Whether there is lost data, or an end to send without new data.</summary>
    public bool HasRepair =>
        State < SendStreamState.ResetSent && (_buffer.HasLost || (_finishPending && _buffer.Sent == _buffer.End));

    /// <summary>Whether RESET_STREAM is to be sent.</summary>
    public bool HasReset => _resetPending;

    /// <summary>Whether nothing more can happen to this half.</summary>
    public bool IsDone => State >= SendStreamState.DataReceived;

    /// <summary>How a write or finish is answered now: Ok, Stopped or Closed, with the code of Stopped.</summary>
    public (StreamStatus Status, ulong Code) WriterStatus =>
        _stopped ? (StreamStatus.Stopped, _code)
        : _finished || State >= SendStreamState.ResetSent ? (StreamStatus.Closed, 0UL)
        : (StreamStatus.Ok, 0UL);

    /// <summary>Starts a stream on this object.</summary>
    /// <param name="id">The stream.</param>
    /// <param name="limit">The peer's initial limit for it, in bytes.</param>
    public void Open(StreamId id, ulong limit)
    {
        Id = id;
        _limit = limit;
        State = SendStreamState.Ready;
    }

    /// <summary>Ends the stream of this object and gives all memory back.</summary>
    public void Recycle()
    {
        _buffer.Reset();
        _limit = 0;
        _finished = _finishPending = _finishAcknowledged = _resetPending = _stopped = false;
        _code = 0;
        IsWriterBlocked = false;
    }

    /// <summary>Takes data over; <see cref="WriterStatus"/> is Ok.</summary>
    public void Append(ReadOnlySpan<byte> data) => _buffer.Append(data);

    /// <summary>The application has written everything; <see cref="WriterStatus"/> is Ok.</summary>
    public void Finish()
    {
        _finished = true;
        _finishPending = true;
    }

    /// <summary>Gives the stream up. Returns how many buffered bytes that freed; does nothing if it is given up already.</summary>
    /// <param name="code">The application error code of RESET_STREAM.</param>
    public long Reset(ulong code)
    {
        if (State >= SendStreamState.ResetSent)
            return 0;
        State = SendStreamState.ResetSent;
        _code = code;
        _resetPending = true;
        return _buffer.Discard();
    }

    /// <summary>
    /// The peer wants no more: the answer is RESET_STREAM with its code (RFC 9000 §3.5). Returns whether this ended the stream, and how
    /// many buffered bytes that freed.
    /// </summary>
    public bool OnStopSending(ulong code, out long freed)
    {
        freed = 0;
        if (State >= SendStreamState.ResetSent)
            return false;
        _stopped = true;
        freed = Reset(code);
        return true;
    }

    /// <summary>Takes over a limit; lower ones are old news (RFC 9000 §19.10).</summary>
    public void OnMaxStreamData(ulong limit) => _limit = Math.Max(_limit, limit);

    /// <summary>Writes one STREAM frame with as much data as fits.</summary>
    /// <param name="writer">The rest of a packet.</param>
    /// <param name="repair">Lost data or an end alone (<see cref="HasRepair"/>) rather than new data (<see cref="HasFresh"/>).</param>
    /// <param name="credit">How many bytes of new data the connection may send; above 0 for new data.</param>
    /// <param name="frame">What was written; B is the number of bytes.</param>
    /// <returns>False, and nothing written, if too little room is left.</returns>
    public bool TryWriteFrame(ref WireWriter writer, bool repair, ulong credit, out SentFrame frame)
    {
        ulong offset = _buffer.Sent;
        ulong available = 0;
        if (!repair)
        {
            available = Math.Min(Math.Min(_buffer.End, _limit) - offset, credit);
        }
        else if (_buffer.HasLost)
        {
            offset = _buffer.FirstLost.Start;
            available = _buffer.FirstLost.End - offset;
        }

        frame = default;
        int room = writer.Remaining - StreamFrame.HeaderLength(Id, offset, 0, hasLength: false);
        if (!TryFit(available, room, out int length, out bool fillsPacket))
            return false;

        bool fin = _finished && offset + (uint)length == _buffer.End;
        StreamFrame.WriteHeader(ref writer, Id, offset, length, fin, hasLength: !fillsPacket);
        _buffer.Send(offset, writer.Rest[..length]);
        writer.Advance(length);

        if (fin)
        {
            _finishPending = false;
            State = SendStreamState.DataSent;
        }
        else if (State == SendStreamState.Ready)
        {
            State = SendStreamState.Send;
        }

        frame = new SentFrame(SentFrameKind.Stream, fin, Id.Value, offset, (ulong)length);
        return true;
    }

    /// <summary>Writes RESET_STREAM (RFC 9000 §19.4) if it fits.</summary>
    public bool TryWriteReset(ref WireWriter writer, out SentFrame frame)
    {
        frame = new SentFrame(SentFrameKind.ResetStream, false, Id.Value, 0, 0);
        // The final size is what flow control has counted (RFC 9000 §4.5).
        var reset = new ResetStreamFrame(Id, _code, _buffer.Sent);
        if (writer.Remaining < reset.EncodedLength)
            return false;
        reset.Write(ref writer);
        _resetPending = false;
        return true;
    }

    /// <summary>A STREAM frame has arrived. Returns how many buffered bytes that freed.</summary>
    public long OnFrameAcknowledged(in SentFrame frame)
    {
        if (State >= SendStreamState.ResetSent)
            return 0; // figure 2 of RFC 9000 would still go to DataReceived if all arrived; the peer gets a reset anyway
        long freed = _buffer.Acknowledge(frame.A, frame.B);
        if (frame.Flag)
        {
            _finishAcknowledged = true;
            _finishPending = false;
        }

        if (_finishAcknowledged && _buffer.Buffered == 0)
            State = SendStreamState.DataReceived;
        return freed;
    }

    /// <summary>A STREAM frame was lost: its data, and its end, are sent again.</summary>
    public void OnFrameLost(in SentFrame frame)
    {
        if (State >= SendStreamState.ResetSent)
            return; // RFC 9000 §13.3: no more data after a reset
        _buffer.MarkLost(frame.A, frame.B);
        if (frame.Flag && !_finishAcknowledged)
            _finishPending = true;
    }

    /// <summary>RESET_STREAM has arrived.</summary>
    public void OnResetAcknowledged()
    {
        if (State == SendStreamState.ResetSent)
            State = SendStreamState.ResetReceived;
    }

    /// <summary>RESET_STREAM was lost.</summary>
    public void OnResetLost() => _resetPending = State == SendStreamState.ResetSent;

    // How much of the available data one frame takes, and whether it reaches exactly to the end of the packet, so that it needs no
    // length field.
    private static bool TryFit(ulong available, int room, out int length, out bool fillsPacket)
    {
        length = 0;
        fillsPacket = room > 0 && available >= (uint)room;
        if (fillsPacket)
        {
            length = room;
        }
        else
        {
            int withLength = room - VarInt.Length(available);
            if (withLength < 0)
                return false;
            length = (int)Math.Min(available, (uint)withLength);
        }

        return (uint)length == available || length >= FragmentLengthMin;
    }
}
