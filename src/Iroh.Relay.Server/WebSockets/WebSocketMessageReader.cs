using System.Buffers;
using Iroh.Relay.WebSockets;

namespace Iroh.Relay.Server.WebSockets;

/// <summary>
/// Reads a client's messages from the bytes that came: puts fragments together (control frames may come in between), takes the mask off.
/// Has one owner.
/// </summary>
/// <param name="messageMax">The longest message that is taken, fragments together.</param>
internal sealed class WebSocketMessageReader(int messageMax) : IDisposable
{
    // A message of which fragments have come; null if there is none.
    private byte[]? _partial;
    private int _partialLength;
    private WebSocketOpcode _partialOpcode;

    /// <summary>Reads the next message.</summary>
    /// <param name="input">What came; moved past what was used.</param>
    /// <param name="message">The message, whose buffer is the caller's, if the result is <see cref="WebSocketReadResult.Done"/>.</param>
    public WebSocketReadResult TryRead(ref ReadOnlySequence<byte> input, out WebSocketMessage message)
    {
        message = default;
        while (true)
        {
            WebSocketReadResult result = TryReadHeader(input, out WebSocketFrameHeader header);
            if (result != WebSocketReadResult.Done)
                return result;
            if (input.Length < header.Length + header.PayloadLength)
                return WebSocketReadResult.NeedsMore;
            if (!header.IsControl && (header.Opcode == WebSocketOpcode.Continuation) != _partial is not null)
                return WebSocketReadResult.Violation;
            ReadOnlySequence<byte> payload = input.Slice(header.Length, header.PayloadLength);
            if (header.IsControl || (header.IsFinal && _partial is null))
            {
                byte[] buffer = ArrayPool<byte>.Shared.Rent(WebSocketMessage.Offset + header.PayloadLength);
                Unmask(payload, buffer.AsSpan(WebSocketMessage.Offset), header.Mask);
                message = new WebSocketMessage(header.Opcode, buffer, header.PayloadLength);
                input = input.Slice(payload.End);
                return WebSocketReadResult.Done;
            }

            if (!TryAppend(header, payload))
                return WebSocketReadResult.TooBig;
            input = input.Slice(payload.End);
            if (!header.IsFinal)
                continue;
            message = new WebSocketMessage(_partialOpcode, _partial!, _partialLength);
            _partial = null;
            return WebSocketReadResult.Done;
        }
    }

    /// <summary>Gives back what was put together so far.</summary>
    public void Dispose()
    {
        if (_partial is { } partial)
            ArrayPool<byte>.Shared.Return(partial);
        _partial = null;
    }

    private WebSocketReadResult TryReadHeader(ReadOnlySequence<byte> input, out WebSocketFrameHeader header)
    {
        ReadOnlySpan<byte> first = input.FirstSpan;
        if (first.Length >= WebSocketFrameHeader.LengthMax || input.IsSingleSegment)
            return WebSocketFrameHeader.TryRead(first, messageMax, out header);
        Span<byte> copy = stackalloc byte[WebSocketFrameHeader.LengthMax];
        int length = (int)Math.Min(input.Length, copy.Length);
        input.Slice(0, length).CopyTo(copy);
        return WebSocketFrameHeader.TryRead(copy[..length], messageMax, out header);
    }

    private bool TryAppend(WebSocketFrameHeader header, ReadOnlySequence<byte> payload)
    {
        if (_partial is null)
        {
            _partialOpcode = header.Opcode;
            _partialLength = 0;
            _partial = ArrayPool<byte>.Shared.Rent(WebSocketMessage.Offset + header.PayloadLength);
        }

        if (header.PayloadLength > messageMax - _partialLength)
            return false;
        int needed = WebSocketMessage.Offset + _partialLength + header.PayloadLength;
        if (_partial.Length < needed)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, Math.Min(2 * _partial.Length, WebSocketMessage.Offset + messageMax)));
            _partial.AsSpan(0, WebSocketMessage.Offset + _partialLength).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_partial);
            _partial = larger;
        }

        Unmask(payload, _partial.AsSpan(WebSocketMessage.Offset + _partialLength), header.Mask);
        _partialLength += header.PayloadLength;
        return true;
    }

    private static void Unmask(ReadOnlySequence<byte> source, Span<byte> destination, uint mask)
    {
        foreach (ReadOnlyMemory<byte> part in source)
        {
            mask = WebSocketMask.Copy(part.Span, destination, mask);
            destination = destination[part.Length..];
        }
    }
}
