using System.Security.Cryptography;
using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.ConnectionIds;

/// <summary>
/// Stateless resets (RFC 9000 §10.3): tokens that an endpoint can make again from a connection id after it forgot the
/// connection, and the datagrams that carry them. Thread-safe.
/// </summary>
internal sealed class StatelessReset
{
    /// <summary>Bytes of the key.</summary>
    public const int KeyLength = 32;

    /// <summary>The shortest reset, in bytes: a short header and enough behind it to look like a packet (RFC 9000 §10.3).</summary>
    public const int LengthMin = 5 + StatelessResetToken.Length;

    /// <summary>
    /// The shortest reset for a datagram that leaves a choice: as long as the smallest packet with an id of 20 bytes may be, so
    /// that no recipient takes it for too short (RFC 9000 §10.3 speaks of triggers of 43 bytes).
    /// </summary>
    private const int UsualLengthMin = 42;

    private readonly byte[] _key;

    /// <summary>Copies the key.</summary>
    /// <param name="key"><see cref="KeyLength"/> random bytes, the endpoint's own; the same key makes the same tokens.</param>
    /// <exception cref="ArgumentException">Another length.</exception>
    public StatelessReset(ReadOnlySpan<byte> key)
    {
        if (key.Length != KeyLength)
            throw new ArgumentException($"A stateless reset key has {KeyLength} bytes; this one has {key.Length}.", nameof(key));
        _key = key.ToArray();
    }

    /// <summary>The token of one of our ids: the first 16 bytes of HMAC-SHA256 of the id (RFC 9000 §10.3.2).</summary>
    public StatelessResetToken TokenOf(in ConnectionId id)
    {
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(_key, id.Span, hash);
        return new StatelessResetToken(hash[..StatelessResetToken.Length]);
    }

    /// <summary>
    /// Writes a reset that is shorter than the datagram which it answers, so that two endpoints without state cannot answer each
    /// other for ever (RFC 9000 §10.3.3). False if that datagram is too short.
    /// </summary>
    /// <param name="destination">At least as long as the datagram answered.</param>
    /// <param name="triggerLength">Bytes of the datagram answered.</param>
    /// <param name="token">Of the id that the datagram was sent to.</param>
    /// <param name="random">Fills what is before the token.</param>
    /// <param name="length">Bytes written.</param>
    public static bool TryWrite(
        Span<byte> destination, int triggerLength, StatelessResetToken token, RandomSource random, out int length)
    {
        length = 0;
        int lengthMax = triggerLength - 1;
        if (lengthMax < LengthMin)
            return false;
        length = lengthMax <= UsualLengthMin
            ? lengthMax
            : UsualLengthMin + (int)random.NextBelow((ulong)(lengthMax - UsualLengthMin + 1));
        Span<byte> unpredictable = destination[..(length - StatelessResetToken.Length)];
        random.Fill(unpredictable);
        unpredictable[0] = (byte)((unpredictable[0] & ~PacketHeader.LongBit) | PacketHeader.FixedBit);
        token.CopyTo(destination[unpredictable.Length..]);
        return true;
    }

    /// <summary>The last 16 bytes of a datagram that could be a reset; false if it is too short (RFC 9000 §10.3.1).</summary>
    /// <param name="datagram">As it arrived; opening a packet in place leaves its tag, and so these bytes, as they are.</param>
    /// <param name="token">To be compared with the token of the id in use there.</param>
    public static bool TryGetToken(ReadOnlySpan<byte> datagram, out StatelessResetToken token)
    {
        token = default;
        if (datagram.Length < LengthMin)
            return false;
        token = new StatelessResetToken(datagram[^StatelessResetToken.Length..]);
        return true;
    }
}
