using System.Text;

namespace Iroh.Base.Serialization;

/// <summary>
/// Reads postcard fields (the serialisation that iroh uses for tickets and protocol messages) from the front of a span. Every
/// method checks the length first and returns false where the bytes do not hold the field; lengths are believed only after
/// comparison with what is there.
/// </summary>
public ref struct PostcardReader
{
    private static readonly UTF8Encoding s_strictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly ReadOnlySpan<byte> _bytes;
    private int _position;

    /// <summary>Starts at the first byte of <paramref name="bytes"/>.</summary>
    public PostcardReader(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>Number of bytes not yet read.</summary>
    public readonly int Remaining => _bytes.Length - _position;

    /// <summary>Number of bytes read so far.</summary>
    public readonly int Position => _position;

    /// <summary>Reads one raw byte.</summary>
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

    /// <summary>Reads a bool: 0 or 1, nothing else.</summary>
    public bool TryReadBool(out bool value)
    {
        value = false;
        if (!TryReadByte(out byte read) || read > 1)
            return false;
        value = read == 1;
        return true;
    }

    /// <summary>Reads an unsigned 16-bit varint: at most 3 bytes.</summary>
    public bool TryReadUInt16(out ushort value)
    {
        bool read = TryReadVarint(16, out ulong wide);
        value = (ushort)wide;
        return read;
    }

    /// <summary>Reads an unsigned 32-bit varint: at most 5 bytes. Also the index of an enum's variant.</summary>
    public bool TryReadUInt32(out uint value)
    {
        bool read = TryReadVarint(32, out ulong wide);
        value = (uint)wide;
        return read;
    }

    /// <summary>Reads an unsigned 64-bit varint: at most 10 bytes.</summary>
    public bool TryReadUInt64(out ulong value) => TryReadVarint(64, out value);

    /// <summary>Reads <paramref name="length"/> raw bytes without copying.</summary>
    public bool TryReadFixed(int length, out ReadOnlySpan<byte> value)
    {
        if (length > Remaining)
        {
            value = default;
            return false;
        }

        value = _bytes.Slice(_position, length);
        _position += length;
        return true;
    }

    /// <summary>Reads a length and that many bytes without copying.</summary>
    public bool TryReadBytes(out ReadOnlySpan<byte> value)
    {
        value = default;
        return TryReadUInt64(out ulong length) && length <= (ulong)Remaining && TryReadFixed((int)length, out value);
    }

    /// <summary>Reads a length-prefixed string; bytes that are not UTF-8 are refused.</summary>
    public bool TryReadString(out string value)
    {
        value = "";
        if (!TryReadBytes(out ReadOnlySpan<byte> bytes) || !System.Text.Unicode.Utf8.IsValid(bytes))
            return false;
        value = s_strictUtf8.GetString(bytes);
        return true;
    }

    private bool TryReadVarint(int width, out ulong value)
    {
        value = 0;
        for (int shift = 0; shift < width; shift += 7)
        {
            if (!TryReadByte(out byte next))
                return false;
            ulong bits = (ulong)(next & 0x7f);
            // The last byte may hold fewer than seven bits of the number; more would overflow it.
            if (width - shift < 7 && bits >> (width - shift) != 0)
                return false;
            value |= bits << shift;
            if (next < 0x80)
                return true;
        }

        value = 0;
        return false;
    }
}
