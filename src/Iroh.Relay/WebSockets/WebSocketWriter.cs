using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Iroh.Relay.WebSockets;

/// <summary>A client's frames (RFC 6455 §5): final, masked, written into the caller's buffer.</summary>
internal static class WebSocketWriter
{
    /// <summary>The longest header: 2 bytes, 8 of length, 4 of mask.</summary>
    public const int HeaderLengthMax = 14;

    private const int MaskLength = sizeof(uint);

    /// <summary>Bytes of the header of a frame with so much payload.</summary>
    public static int HeaderLength(int payloadLength) => payloadLength switch
    {
        < 126 => 2 + MaskLength,
        <= ushort.MaxValue => 4 + MaskLength,
        _ => 10 + MaskLength,
    };

    /// <summary>Writes a header and returns its length.</summary>
    /// <param name="destination">At least <see cref="HeaderLength"/> bytes.</param>
    /// <param name="opcode">The kind of frame.</param>
    /// <param name="payloadLength">Bytes that follow.</param>
    /// <param name="mask">Has to be unpredictable (§5.3), in the order of memory.</param>
    public static int WriteHeader(Span<byte> destination, WebSocketOpcode opcode, int payloadLength, uint mask)
    {
        destination[0] = (byte)(0x80 | (byte)opcode);
        int length = HeaderLength(payloadLength) - MaskLength;
        switch (length)
        {
            case 2:
                destination[1] = (byte)(0x80 | payloadLength);
                break;
            case 4:
                destination[1] = 0x80 | 126;
                BinaryPrimitives.WriteUInt16BigEndian(destination[2..], (ushort)payloadLength);
                break;
            default:
                destination[1] = 0x80 | 127;
                BinaryPrimitives.WriteUInt64BigEndian(destination[2..], (ulong)payloadLength);
                break;
        }

        MemoryMarshal.Write(destination[length..], mask);
        return length + MaskLength;
    }

    /// <summary>Writes a whole frame and returns its length.</summary>
    /// <param name="destination">Header and payload have to fit.</param>
    /// <param name="opcode">The kind of frame.</param>
    /// <param name="payload">What it carries.</param>
    public static int WriteFrame(Span<byte> destination, WebSocketOpcode opcode, ReadOnlySpan<byte> payload)
    {
        uint mask = NextMask();
        int header = WriteHeader(destination, opcode, payload.Length, mask);
        CopyMasked(payload, destination[header..], mask, 0);
        return header + payload.Length;
    }

    /// <summary>Copies and masks in one pass (§5.3).</summary>
    /// <param name="source">Part of the payload.</param>
    /// <param name="destination">At least as long; may be the same memory.</param>
    /// <param name="mask">The frame's mask.</param>
    /// <param name="offset">Where in the payload the part begins.</param>
    public static void CopyMasked(ReadOnlySpan<byte> source, Span<byte> destination, uint mask, int offset)
    {
        int rotation = (offset & 3) * 8;
        uint key = BitConverter.IsLittleEndian ? BitOperations.RotateRight(mask, rotation) : BitOperations.RotateLeft(mask, rotation);
        var wideKey = Vector.AsVectorByte(new Vector<uint>(key));
        int at = 0;
        for (; at <= source.Length - Vector<byte>.Count; at += Vector<byte>.Count)
            (new Vector<byte>(source[at..]) ^ wideKey).CopyTo(destination[at..]);
        Span<byte> keyBytes = stackalloc byte[MaskLength];
        MemoryMarshal.Write(keyBytes, key);
        for (; at < source.Length; at++)
            destination[at] = (byte)(source[at] ^ keyBytes[at & 3]);
    }

    /// <summary>An unpredictable mask. Thread-safe.</summary>
    public static uint NextMask()
    {
        Span<byte> mask = stackalloc byte[MaskLength];
        RandomNumberGenerator.Fill(mask);
        return MemoryMarshal.Read<uint>(mask);
    }
}
