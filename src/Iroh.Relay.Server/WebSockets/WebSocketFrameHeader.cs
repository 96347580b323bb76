using System.Buffers.Binary;
using Iroh.Relay.WebSockets;

namespace Iroh.Relay.Server.WebSockets;

/// <summary>The header of a frame from a client (RFC 6455 §5.2), which is always masked. No extensions are spoken.</summary>
/// <param name="IsFinal">Whether this frame ends its message.</param>
/// <param name="Opcode">What it is.</param>
/// <param name="Mask">The four bytes of the mask as a little-endian number.</param>
/// <param name="PayloadLength">Bytes that follow the header.</param>
/// <param name="Length">Bytes of the header itself.</param>
internal readonly record struct WebSocketFrameHeader(bool IsFinal, WebSocketOpcode Opcode, uint Mask, int PayloadLength, int Length)
{
    /// <summary>The longest header: two bytes, a length of eight, a mask of four.</summary>
    public const int LengthMax = 14;

    /// <summary>The longest header that a server writes: without a mask.</summary>
    public const int ServerLengthMax = 10;

    /// <summary>The longest payload of a control frame (RFC 6455 §5.5).</summary>
    public const int ControlPayloadMax = 125;

    private const int MaskLength = 4;
    private const int Length16 = 126;
    private const int Length64 = 127;

    /// <summary>Whether this is a close, ping or pong.</summary>
    public bool IsControl => Opcode >= WebSocketOpcode.Close;

    /// <summary>Reads a header.</summary>
    /// <param name="bytes">What has come, from the header's first byte on; <see cref="LengthMax"/> of it are enough.</param>
    /// <param name="payloadMax">The longest payload that is taken.</param>
    /// <param name="header">The header, if the result is <see cref="WebSocketReadResult.Done"/>.</param>
    public static WebSocketReadResult TryRead(ReadOnlySpan<byte> bytes, int payloadMax, out WebSocketFrameHeader header)
    {
        header = default;
        if (bytes.Length < 2)
            return WebSocketReadResult.NeedsMore;
        var opcode = (WebSocketOpcode)(bytes[0] & 0x0f);
        bool isFinal = (bytes[0] & 0x80) != 0;
        bool isMasked = (bytes[1] & 0x80) != 0;
        // Reserved bits belong to extensions, of which none was agreed on.
        if ((bytes[0] & 0x70) != 0 || !isMasked || opcode is not (<= WebSocketOpcode.Binary or (>= WebSocketOpcode.Close and <= WebSocketOpcode.Pong)))
            return WebSocketReadResult.Violation;
        int lengthCode = bytes[1] & 0x7f;
        if (opcode >= WebSocketOpcode.Close && (!isFinal || lengthCode > ControlPayloadMax))
            return WebSocketReadResult.Violation;
        int length = 2 + MaskLength + lengthCode switch { Length64 => sizeof(ulong), Length16 => sizeof(ushort), _ => 0 };
        if (bytes.Length < length)
            return WebSocketReadResult.NeedsMore;
        ulong payloadLength = lengthCode switch
        {
            Length64 => BinaryPrimitives.ReadUInt64BigEndian(bytes[2..]),
            Length16 => BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]),
            _ => (ulong)lengthCode,
        };
        if (payloadLength > (ulong)payloadMax)
            return WebSocketReadResult.TooBig;
        uint mask = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(length - MaskLength)..]);
        header = new WebSocketFrameHeader(isFinal, opcode, mask, (int)payloadLength, length);
        return WebSocketReadResult.Done;
    }

    /// <summary>Writes a server's header, of a whole message, so that it ends where the payload begins.</summary>
    /// <param name="room"><see cref="ServerLengthMax"/> bytes in front of the payload.</param>
    /// <param name="opcode">What the message is.</param>
    /// <param name="payloadLength">Bytes of the payload.</param>
    /// <returns>How many bytes at the end of <paramref name="room"/> were written.</returns>
    public static int WriteBefore(Span<byte> room, WebSocketOpcode opcode, int payloadLength)
    {
        int length = payloadLength switch { <= ControlPayloadMax => 2, <= ushort.MaxValue => 2 + sizeof(ushort), _ => 2 + sizeof(ulong) };
        Span<byte> header = room[^length..];
        header[0] = (byte)(0x80 | (byte)opcode);
        switch (length)
        {
            case 2:
                header[1] = (byte)payloadLength;
                break;
            case 2 + sizeof(ushort):
                header[1] = Length16;
                BinaryPrimitives.WriteUInt16BigEndian(header[2..], (ushort)payloadLength);
                break;
            default:
                header[1] = Length64;
                BinaryPrimitives.WriteUInt64BigEndian(header[2..], (ulong)payloadLength);
                break;
        }

        return length;
    }

    /// <summary>A whole short message of a server, as it goes over the wire.</summary>
    /// <param name="opcode">What it is.</param>
    /// <param name="payload">Its payload.</param>
    public static byte[] Encode(WebSocketOpcode opcode, ReadOnlySpan<byte> payload)
    {
        Span<byte> header = stackalloc byte[ServerLengthMax];
        int length = WriteBefore(header, opcode, payload.Length);
        return [.. header[^length..], .. payload];
    }

    /// <summary>A close frame as it goes over the wire.</summary>
    public static byte[] EncodeClose(WebSocketCloseCode code)
    {
        Span<byte> payload = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16BigEndian(payload, (ushort)code);
        return Encode(WebSocketOpcode.Close, payload);
    }
}
