using System.Buffers.Binary;

namespace Iroh.Quic.Protocol.Codec;

/// <summary>
/// Reads wire fields from the front of a span. Every method checks the length first: it either reads the whole field and
/// advances, or returns false and leaves the position as it was.
/// </summary>
public ref struct WireReader
{
    private readonly ReadOnlySpan<byte> _bytes;
    private int _position;

    /// <summary>Starts at the first byte of <paramref name="bytes"/>.</summary>
    public WireReader(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>Number of bytes read so far.</summary>
    public readonly int Position => _position;

    /// <summary>Number of bytes not yet read.</summary>
    public readonly int Remaining => _bytes.Length - _position;

    /// <summary>The bytes not yet read.</summary>
    public readonly ReadOnlySpan<byte> Rest => _bytes[_position..];

    /// <summary>Reads one byte.</summary>
    public bool TryReadByte(out byte value)
    {
        if (Remaining < 1)
        {
            value = 0;
            return false;
        }

        value = _bytes[_position++];
        return true;
    }

    /// <summary>Reads two bytes, big-endian.</summary>
    public bool TryReadUInt16(out ushort value)
    {
        if (!BinaryPrimitives.TryReadUInt16BigEndian(Rest, out value))
            return false;
        _position += 2;
        return true;
    }

    /// <summary>Reads four bytes, big-endian.</summary>
    public bool TryReadUInt32(out uint value)
    {
        if (!BinaryPrimitives.TryReadUInt32BigEndian(Rest, out value))
            return false;
        _position += 4;
        return true;
    }

    /// <summary>Reads a variable-length integer in any of its forms (RFC 9000 §16).</summary>
    public bool TryReadVarInt(out ulong value)
    {
        value = 0;
        ReadOnlySpan<byte> rest = Rest;
        if (rest.IsEmpty)
            return false;
        int length = 1 << (rest[0] >> 6);
        if (rest.Length < length)
            return false;
        value = length switch
        {
            1 => rest[0],
            2 => (ulong)(BinaryPrimitives.ReadUInt16BigEndian(rest) & 0x3fff),
            4 => BinaryPrimitives.ReadUInt32BigEndian(rest) & 0x3fff_ffff,
            _ => BinaryPrimitives.ReadUInt64BigEndian(rest) & VarInt.Max,
        };
        _position += length;
        return true;
    }

    /// <summary>Reads <paramref name="length"/> bytes without copying; the span lives as long as the one being read.</summary>
    /// <param name="length">Believed only after the comparison with what remains, so any value from the wire may be passed.</param>
    /// <param name="value">The bytes, empty if there are not enough.</param>
    public bool TryReadBytes(ulong length, out ReadOnlySpan<byte> value)
    {
        if (length > (ulong)Remaining)
        {
            value = default;
            return false;
        }

        value = _bytes.Slice(_position, (int)length);
        _position += (int)length;
        return true;
    }

    /// <summary>Reads a variable-length integer and that many bytes; on failure nothing is consumed.</summary>
    public bool TryReadVarIntPrefixed(out ReadOnlySpan<byte> value)
    {
        int start = _position;
        if (TryReadVarInt(out ulong length) && TryReadBytes(length, out value))
            return true;
        _position = start;
        value = default;
        return false;
    }
}
