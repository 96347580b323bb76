using System.Buffers.Binary;

namespace Iroh.Tls.HandshakeMessages;

/// <summary>Writes the presentation language of RFC 8446 §3 into a buffer that grows with what this side has to say.</summary>
internal sealed class TlsWriter
{
    // A client's whole first flight fits.
    private byte[] _bytes = new byte[512];
    private int _length;

    internal int Position => _length;

    internal ReadOnlySpan<byte> Written => _bytes.AsSpan(0, _length);

    internal void WriteByte(byte value) => Take(1)[0] = value;

    internal void WriteUInt16(ushort value) => BinaryPrimitives.WriteUInt16BigEndian(Take(2), value);

    internal void WriteBytes(ReadOnlySpan<byte> value) => value.CopyTo(Take(value.Length));

    /// <summary>
    /// Leaves room for a length of <paramref name="lengthBytes"/> bytes; returns what <see cref="EndVector"/> wants.
    /// </summary>
    internal int BeginVector(int lengthBytes)
    {
        Take(lengthBytes).Clear();
        return _length;
    }

    /// <summary>Fills in the length of what was written since <see cref="BeginVector"/>.</summary>
    internal void EndVector(int start, int lengthBytes)
    {
        int length = _length - start;
        if (length >> (8 * lengthBytes) != 0)
            throw new InvalidOperationException($"A vector of {length} bytes does not fit a length of {lengthBytes} bytes.");
        for (int i = 1; i <= lengthBytes; i++, length >>= 8)
            _bytes[start - i] = (byte)length;
    }

    internal int BeginMessage(HandshakeType type)
    {
        WriteByte((byte)type);
        return BeginVector(3);
    }

    internal void EndMessage(int start) => EndVector(start, 3);

    internal int BeginExtension(ushort type)
    {
        WriteUInt16(type);
        return BeginVector(2);
    }

    internal void EndExtension(int start) => EndVector(start, 2);

    /// <summary>Forgets (and wipes) what was written.</summary>
    internal void Clear()
    {
        _bytes.AsSpan(0, _length).Clear();
        _length = 0;
    }

    private Span<byte> Take(int length)
    {
        if (length > _bytes.Length - _length)
            Array.Resize(ref _bytes, Math.Max(2 * _bytes.Length, _length + length));
        Span<byte> taken = _bytes.AsSpan(_length, length);
        _length += length;
        return taken;
    }
}
