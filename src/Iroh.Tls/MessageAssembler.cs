namespace Iroh.Tls;

/// <summary>
/// Cuts the CRYPTO stream into handshake messages, wherever the pieces were split. One instance serves all levels, because a
/// message never spans two of them (RFC 8446 §5.1).
/// </summary>
internal sealed class MessageAssembler
{
    // Bounds what a peer can make this side hold. No message comes near it: the biggest, a ClientHello with a post-quantum key
    // share and many ALPN names, has about two thousand bytes.
    internal const int MessageLengthMax = 16 * 1024;

    internal const int HeaderLength = 4;

    private byte[] _partial = [];
    private int _length;

    /// <summary>Whether the beginning of a message is held back.</summary>
    internal bool HasPartial => _length > 0;

    /// <summary>Takes bytes from the front of <paramref name="data"/> until a message is complete or they run out.</summary>
    /// <param name="data">Moved on behind the bytes taken.</param>
    /// <param name="message">The message with its header, valid until the next call; empty if it is not complete yet.</param>
    internal TlsFailure? Take(ref ReadOnlySpan<byte> data, out ReadOnlySpan<byte> message)
    {
        message = default;
        while (true)
        {
            int needed = HeaderLength;
            ReadOnlySpan<byte> known = _length > 0 ? _partial.AsSpan(0, _length) : data;
            if (known.Length >= HeaderLength)
            {
                int bodyLength = (known[1] << 16) | (known[2] << 8) | known[3];
                if (bodyLength > MessageLengthMax)
                    return new TlsFailure(TlsAlert.DecodeError, $"a handshake message of more than {MessageLengthMax} bytes");
                needed += bodyLength;
            }

            if (known.Length >= HeaderLength && known.Length >= needed)
            {
                message = known[..needed];
                if (_length == 0)
                    data = data[needed..];
                _length = 0;
                return null;
            }

            if (data.IsEmpty)
                return null;
            int taken = Math.Min(needed - _length, data.Length);
            Hold(data[..taken]);
            data = data[taken..];
        }
    }

    /// <summary>Lets go of the buffer.</summary>
    internal void Clear()
    {
        _partial = [];
        _length = 0;
    }

    // The buffer follows the bytes that have come, not the length that the peer has announced.
    private void Hold(ReadOnlySpan<byte> bytes)
    {
        if (_length + bytes.Length > _partial.Length)
            Array.Resize(ref _partial, Math.Max(2 * _partial.Length, _length + bytes.Length));
        bytes.CopyTo(_partial.AsSpan(_length));
        _length += bytes.Length;
    }
}
