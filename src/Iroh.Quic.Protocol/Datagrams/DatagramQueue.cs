using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.Datagrams;

/// <summary>
/// The unreliable datagrams of a connection in both directions (RFC 9221). Sending refuses what does not fit, so the application hears
/// of it; receiving drops the oldest, as newer datagrams are worth more.
/// </summary>
internal sealed class DatagramQueue
{
    private readonly DatagramRing _sending;
    private readonly DatagramRing _receiving;
    private readonly int _frameSizeMax;
    private ulong _peerFrameSizeMax;
    private bool _isSenderBlocked;
    private bool _wakeSender;

    /// <summary>Starts empty.</summary>
    /// <param name="frameSizeMax">The max_datagram_frame_size declared to the peer, in bytes; 0 if datagrams are not taken.</param>
    /// <param name="receiveBytesMax">How many received bytes wait for the application. iroh has 1,250,000.</param>
    /// <param name="sendBytesMax">How many bytes wait to be sent. iroh has 1 MiB.</param>
    public DatagramQueue(int frameSizeMax = 65535, int receiveBytesMax = 1_250_000, int sendBytesMax = 1 << 20)
    {
        _frameSizeMax = frameSizeMax;
        _receiving = new DatagramRing(receiveBytesMax);
        _sending = new DatagramRing(sendBytesMax);
    }

    /// <summary>Whether a datagram waits to be sent.</summary>
    public bool HasPendingFrames => _sending.Count > 0;

    /// <summary>Bytes of the frame of the next datagram to be sent, with its length field; 0 if none waits.</summary>
    public int NextFrameLength =>
        _sending.Count == 0 ? 0 : DatagramFrame.HeaderLength(_sending.FirstLength, hasLength: true) + _sending.FirstLength;

    /// <summary>How many received datagrams wait for the application.</summary>
    public int ReceivedCount => _receiving.Count;

    /// <summary>How many received datagrams were dropped for newer ones.</summary>
    public ulong ReceivedDropped { get; private set; }

    /// <summary>How many queued datagrams were dropped because packets became too small for them.</summary>
    public ulong SendDropped { get; private set; }

    /// <summary>Takes over the peer's max_datagram_frame_size, 0 if it takes no datagrams.</summary>
    public void OnPeerParameters(ulong maxDatagramFrameSize) => _peerFrameSizeMax = maxDatagramFrameSize;

    /// <summary>
    /// The longest datagram that can be sent now, in bytes; 0 if the peer takes none, or none with content.
    /// </summary>
    /// <param name="packetSpace">Bytes of frames that a full packet has room for.</param>
    public int MaxLength(int packetSpace) =>
        DatagramFrame.DataLengthMax((int)Math.Min((ulong)Math.Max(packetSpace, 0), _peerFrameSizeMax));

    /// <summary>Queues a datagram.</summary>
    /// <param name="data">The caller's again on return.</param>
    /// <param name="packetSpace">Bytes of frames that a full packet has room for.</param>
    public DatagramSend Send(ReadOnlySpan<byte> data, int packetSpace)
    {
        if (_peerFrameSizeMax == 0)
            return DatagramSend.Unsupported;
        if (data.Length > MaxLength(packetSpace) || !_sending.CanEverHold(data.Length))
            return DatagramSend.TooLarge;
        if (!_sending.HasRoom(data.Length))
        {
            _isSenderBlocked = true;
            return DatagramSend.QueueFull;
        }

        _sending.Enqueue(data);
        return DatagramSend.Ok;
    }

    /// <summary>True once after a send was refused with <see cref="DatagramSend.QueueFull"/> and the queue has moved on since.</summary>
    public bool TakeUnblocked()
    {
        bool wake = _wakeSender;
        _wakeSender = false;
        return wake;
    }

    /// <summary>Writes datagrams in order as long as the next one fits. All get a length field, as other frames may follow.</summary>
    /// <param name="writer">The rest of a packet.</param>
    /// <param name="packetSpace">Bytes of frames that an empty packet has room for: what no longer fits into that is dropped.</param>
    /// <param name="sent">Gets what was written.</param>
    public void WriteFrames(ref WireWriter writer, int packetSpace, SentFrameList sent)
    {
        while (_sending.Count > 0)
        {
            int length = _sending.FirstLength;
            int frameLength = DatagramFrame.HeaderLength(length, hasLength: true) + length;
            if (frameLength > packetSpace)
            {
                _sending.Drop();
                SendDropped++;
            }
            else if (frameLength > writer.Remaining)
            {
                return;
            }
            else
            {
                writer.WriteVarInt(FrameType.DatagramWithLength);
                writer.WriteVarInt((ulong)length);
                _sending.Dequeue(writer.Rest[..length]);
                writer.Advance(length);
                sent.Add(new SentFrame(SentFrameKind.Datagram, false, 0, (ulong)length, 0));
            }

            _wakeSender |= _isSenderBlocked;
            _isSenderBlocked = false;
        }
    }

    /// <summary>A DATAGRAM frame came (RFC 9221 §4).</summary>
    /// <param name="data">Its content; the caller's again on return.</param>
    /// <param name="frameLength">The length of the whole frame, type and length field included, in bytes.</param>
    public TransportError? OnDatagramFrame(ReadOnlySpan<byte> data, int frameLength)
    {
        // RFC 9221 §3: not declared, or larger than declared, is a PROTOCOL_VIOLATION.
        if (frameLength > _frameSizeMax)
            return new TransportError(TransportErrorCode.ProtocolViolation, FrameType.Datagram, "A datagram larger than declared.");
        if (!_receiving.CanEverHold(data.Length))
        {
            ReceivedDropped++;
            return null;
        }

        while (!_receiving.HasRoom(data.Length))
        {
            _receiving.Drop();
            ReceivedDropped++;
        }

        _receiving.Enqueue(data);
        return null;
    }

    /// <summary>Copies the oldest received datagram out.</summary>
    /// <param name="destination">The caller's.</param>
    /// <param name="length">The datagram's length, also if the destination is too short for it; 0 if there is none.</param>
    /// <returns>False if there is none, or if it is longer than the destination; then it stays.</returns>
    public bool TryReceive(Span<byte> destination, out int length)
    {
        length = 0;
        if (_receiving.Count == 0)
            return false;
        length = _receiving.FirstLength;
        if (length > destination.Length)
            return false;
        _receiving.Dequeue(destination[..length]);
        return true;
    }
}
