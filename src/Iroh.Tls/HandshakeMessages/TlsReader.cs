using System.Buffers.Binary;

namespace Iroh.Tls.HandshakeMessages;

/// <summary>
/// Reads the presentation language of RFC 8446 §3 from the front of a span. Every method checks the length first; after a
/// false the reader is of no more use, as the message as a whole is unreadable.
/// </summary>
internal ref struct TlsReader
{
    private ReadOnlySpan<byte> _rest;

    internal TlsReader(ReadOnlySpan<byte> bytes) => _rest = bytes;

    internal readonly bool IsEmpty => _rest.IsEmpty;

    internal bool TryReadByte(out byte value)
    {
        bool ok = TryReadBytes(1, out ReadOnlySpan<byte> bytes);
        value = ok ? bytes[0] : (byte)0;
        return ok;
    }

    internal bool TryReadUInt16(out ushort value)
    {
        bool ok = TryReadBytes(2, out ReadOnlySpan<byte> bytes);
        value = ok ? BinaryPrimitives.ReadUInt16BigEndian(bytes) : (ushort)0;
        return ok;
    }

    internal bool TryReadBytes(int length, out ReadOnlySpan<byte> value)
    {
        if (length > _rest.Length)
        {
            value = default;
            return false;
        }

        value = _rest[..length];
        _rest = _rest[length..];
        return true;
    }

    /// <summary>A vector with a length of one byte before it.</summary>
    internal bool TryReadVector8(out ReadOnlySpan<byte> value)
    {
        value = default;
        return TryReadByte(out byte length) && TryReadBytes(length, out value);
    }

    /// <summary>A vector with a length of two bytes before it.</summary>
    internal bool TryReadVector16(out ReadOnlySpan<byte> value)
    {
        value = default;
        return TryReadUInt16(out ushort length) && TryReadBytes(length, out value);
    }

    /// <summary>A vector with a length of three bytes before it.</summary>
    internal bool TryReadVector24(out ReadOnlySpan<byte> value)
    {
        value = default;
        return TryReadByte(out byte high) && TryReadUInt16(out ushort low) && TryReadBytes((high << 16) | low, out value);
    }
}
