using System.Buffers.Binary;

namespace Iroh.Quic.Protocol.Codec;

/// <summary>
/// Writes wire fields to the front of a span that the caller owns. The caller makes sure of the room first
/// (<see cref="Remaining"/>); writing past the end is a bug here, not a condition of the network, and throws.
/// </summary>
public ref struct WireWriter
{
    private readonly Span<byte> _bytes;
    private int _position;

    /// <summary>Starts at the first byte of <paramref name="bytes"/>.</summary>
    public WireWriter(Span<byte> bytes) => _bytes = bytes;

    /// <summary>Number of bytes written so far.</summary>
    public readonly int Position => _position;

    /// <summary>Number of bytes that still fit.</summary>
    public readonly int Remaining => _bytes.Length - _position;

    /// <summary>What has been written.</summary>
    public readonly Span<byte> Written => _bytes[.._position];

    /// <summary>What can still be written; call <see cref="Advance"/> after filling some of it.</summary>
    public readonly Span<byte> Rest => _bytes[_position..];

    /// <summary>Counts <paramref name="length"/> bytes of <see cref="Rest"/> as written.</summary>
    public void Advance(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)Remaining);
        _position += length;
    }

    /// <summary>Writes one byte.</summary>
    public void WriteByte(byte value) => _bytes[_position++] = value;

    /// <summary>Writes two bytes, big-endian.</summary>
    public void WriteUInt16(ushort value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(Rest, value);
        _position += 2;
    }

    /// <summary>Writes four bytes, big-endian.</summary>
    public void WriteUInt32(uint value)
    {
        BinaryPrimitives.WriteUInt32BigEndian(Rest, value);
        _position += 4;
    }

    /// <summary>Writes the shortest variable-length form (RFC 9000 §16).</summary>
    public void WriteVarInt(ulong value) => WriteVarInt(value, VarInt.Length(value));

    /// <summary>Writes a variable-length integer in a form of <paramref name="length"/> bytes, for fields that are filled in later.</summary>
    /// <param name="value">Fits into that form.</param>
    /// <param name="length">1, 2, 4 or 8.</param>
    public void WriteVarInt(ulong value, int length)
    {
        switch (length)
        {
            case 1:
                WriteByte((byte)value);
                break;
            case 2:
                WriteUInt16((ushort)(value | 0x4000));
                break;
            case 4:
                WriteUInt32((uint)(value | 0x8000_0000));
                break;
            case 8:
                BinaryPrimitives.WriteUInt64BigEndian(Rest, value | 0xc000_0000_0000_0000);
                _position += 8;
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(length), length, "A variable-length integer has 1, 2, 4 or 8 bytes.");
        }
    }

    /// <summary>Writes bytes as they are.</summary>
    public void WriteBytes(scoped ReadOnlySpan<byte> value)
    {
        value.CopyTo(Rest);
        _position += value.Length;
    }

    /// <summary>Writes the length as a variable-length integer, then the bytes.</summary>
    public void WriteVarIntPrefixed(scoped ReadOnlySpan<byte> value)
    {
        WriteVarInt((ulong)value.Length);
        WriteBytes(value);
    }
}
