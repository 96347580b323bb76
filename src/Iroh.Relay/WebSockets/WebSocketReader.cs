using System.Buffers.Binary;
using Iroh.Relay.Protocol;

namespace Iroh.Relay.WebSockets;

/// <summary>
/// A client's reading side of a WebSocket (RFC 6455 §5), without I/O: bytes go into its buffer, messages are read in place and stay valid
/// until more bytes are asked for. Fragments are joined in place. Has one owner.
/// </summary>
internal sealed class WebSocketReader
{
    /// <summary>The longest message: the largest relay frame with its type in the longest form.</summary>
    public const int MessageLengthMax = RelayFrame.BodyLengthMax + 8;

    /// <summary>Twice the longest message: after moving what is unread to the front, the largest frame always fits.</summary>
    private const int BufferLength = 128 * 1024;

    private const int ControlLengthMax = 125;

    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(BufferLength);

    // [_messageStart, +_messageLength) holds the joined fragments of an unfinished message; [_start, _end) what is not read.
    private int _start;
    private int _end;
    private int _messageStart;
    private int _messageLength;
    private WebSocketOpcode _messageOpcode;
    private bool _isInMessage;

    /// <summary>Where the next bytes go; never empty. What was read before is gone.</summary>
    public Memory<byte> GetFreeMemory()
    {
        if (!_isInMessage && _start == _end)
            _start = _end = 0;
        else if (_end > BufferLength / 2)
            Compact();
        return _buffer.AsMemory(_end);
    }

    /// <summary>Takes over bytes at the front of <see cref="GetFreeMemory"/>.</summary>
    public void Advance(int count) => _end += count;

    /// <summary>Copies bytes that were received before the WebSocket began.</summary>
    /// <param name="bytes">At most 64 KiB.</param>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(GetFreeMemory().Span);
        Advance(bytes.Length);
    }

    /// <summary>Reads the next message or control frame.</summary>
    /// <param name="opcode">What it is: never a continuation.</param>
    /// <param name="payload">Its payload; the caller may overwrite it, until <see cref="GetFreeMemory"/>.</param>
    public WebSocketRead Read(out WebSocketOpcode opcode, out Memory<byte> payload)
    {
        while (true)
        {
            opcode = default;
            payload = default;
            WebSocketRead header = TryReadHeader(out bool isFinal, out WebSocketOpcode frameOpcode, out int headerLength, out int length);
            if (header != WebSocketRead.Message)
                return header;
            int payloadStart = _start + headerLength;
            _start = payloadStart + length;
            if (frameOpcode >= WebSocketOpcode.Close)
            {
                opcode = frameOpcode;
                payload = _buffer.AsMemory(payloadStart, length);
                return WebSocketRead.Message;
            }

            if (frameOpcode == WebSocketOpcode.Continuation)
            {
                _buffer.AsSpan(payloadStart, length).CopyTo(_buffer.AsSpan(_messageStart + _messageLength));
                _messageLength += length;
            }
            else
            {
                (_messageOpcode, _messageStart, _messageLength) = (frameOpcode, payloadStart, length);
            }

            _isInMessage = !isFinal;
            if (!isFinal)
                continue;
            opcode = _messageOpcode;
            payload = _buffer.AsMemory(_messageStart, _messageLength);
            return WebSocketRead.Message;
        }
    }

    // Message: the whole frame is there.
    private WebSocketRead TryReadHeader(out bool isFinal, out WebSocketOpcode opcode, out int headerLength, out int length)
    {
        (isFinal, opcode, headerLength, length) = (false, default, 2, 0);
        ReadOnlySpan<byte> bytes = _buffer.AsSpan(_start, _end - _start);
        if (bytes.Length < headerLength)
            return WebSocketRead.Incomplete;
        isFinal = (bytes[0] & 0x80) != 0;
        opcode = (WebSocketOpcode)(bytes[0] & 0x0f);
        // Reserved bits belong to extensions, of which none was agreed on; a server never masks (§5.1, §5.2).
        if ((bytes[0] & 0x70) != 0 || (bytes[1] & 0x80) != 0)
            return WebSocketRead.ProtocolError;
        ulong length64 = bytes[1];
        if (length64 == 126)
        {
            headerLength = 4;
            if (bytes.Length < headerLength)
                return WebSocketRead.Incomplete;
            length64 = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        }
        else if (length64 == 127)
        {
            headerLength = 10;
            if (bytes.Length < headerLength)
                return WebSocketRead.Incomplete;
            length64 = BinaryPrimitives.ReadUInt64BigEndian(bytes[2..]);
        }

        WebSocketRead check = CheckFrame(isFinal, opcode, length64);
        if (check != WebSocketRead.Message)
            return check;
        length = (int)length64;
        return bytes.Length - headerLength < length ? WebSocketRead.Incomplete : WebSocketRead.Message;
    }

    private WebSocketRead CheckFrame(bool isFinal, WebSocketOpcode opcode, ulong length)
    {
        switch (opcode)
        {
            case WebSocketOpcode.Close or WebSocketOpcode.Ping or WebSocketOpcode.Pong:
                return isFinal && length <= ControlLengthMax ? WebSocketRead.Message : WebSocketRead.ProtocolError;
            case WebSocketOpcode.Continuation when _isInMessage:
                return length <= (ulong)(MessageLengthMax - _messageLength) ? WebSocketRead.Message : WebSocketRead.TooBig;
            case WebSocketOpcode.Text or WebSocketOpcode.Binary when !_isInMessage:
                return length <= MessageLengthMax ? WebSocketRead.Message : WebSocketRead.TooBig;
            default:
                return WebSocketRead.ProtocolError;
        }
    }

    private void Compact()
    {
        int front = 0;
        if (_isInMessage)
        {
            if (_messageStart != 0)
                _buffer.AsSpan(_messageStart, _messageLength).CopyTo(_buffer);
            _messageStart = 0;
            front = _messageLength;
        }

        if (_start == front)
            return;
        _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer.AsSpan(front));
        _end = front + (_end - _start);
        _start = front;
    }
}
