using System.Buffers.Binary;

namespace Iroh.Gossip.Links;

/// <summary>Reads frames, a length of four bytes (big endian) and that many bytes, from a stream. One reader at a time.</summary>
/// <param name="stream">Where from; stays the caller's.</param>
/// <param name="lengthMax">The longest frame that is taken, in bytes.</param>
internal sealed class FrameReader(Stream stream, int lengthMax)
{
    private readonly byte[] _prefix = new byte[sizeof(uint)];
    private readonly byte[] _body = new byte[lengthMax];

    /// <summary>Reads the next frame.</summary>
    /// <returns>Its bytes, valid until the next call; null if the stream ended where a frame may end.</returns>
    /// <exception cref="InvalidDataException">The frame is longer than allowed, or the stream ended inside it.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken)
    {
        int read = await stream.ReadAtLeastAsync(_prefix, _prefix.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        if (read == 0)
            return null;
        if (read < _prefix.Length)
            throw new InvalidDataException("A gossip stream ended within the length of a frame.");
        uint length = BinaryPrimitives.ReadUInt32BigEndian(_prefix);
        if (length > (uint)_body.Length)
            throw new InvalidDataException($"A gossip frame says that it has {length} bytes; at most {_body.Length} are allowed.");
        Memory<byte> body = _body.AsMemory(0, (int)length);
        if (await stream.ReadAtLeastAsync(body, body.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false) < body.Length)
            throw new InvalidDataException("A gossip stream ended within a frame.");
        return body;
    }
}
