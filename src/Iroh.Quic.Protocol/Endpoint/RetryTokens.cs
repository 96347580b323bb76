using System.Buffers.Binary;
using System.Security.Cryptography;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Endpoint;

/// <summary>
/// Makes and checks the tokens of Retry packets (RFC 9000 §8.1.2, §8.1.4): who brings one back has received at its address what was sent
/// there a moment ago. What has to be remembered of the attempt is in the token, so that a flood of first packets costs no memory.
/// </summary>
/// <remarks>
/// <code>time of issue (8) | length of the id (1) | the client's first destination id | first 16 bytes of HMAC-SHA256 over these bytes,
/// the client's address and port, and the id that the Retry named</code>
/// </remarks>
internal sealed class RetryTokens
{
    /// <summary>Bytes of the longest token.</summary>
    public const int LengthMax = HeaderLength + ConnectionId.MaxLength + TagLength;

    private const int HeaderLength = sizeof(long) + 1;
    private const int TagLength = 16;

    // Time for a round trip, and for a lost packet or two. noq has as much.
    private static readonly TimeSpan s_lifetime = TimeSpan.FromSeconds(15);

    private readonly byte[] _key;

    /// <param name="key">Secret of the endpoint; also used for something else, from which this is kept apart.</param>
    public RetryTokens(ReadOnlySpan<byte> key)
    {
        _key = new byte[SHA256.HashSizeInBytes];
        HKDF.Expand(HashAlgorithmName.SHA256, key, _key, "iroh retry tokens"u8);
    }

    /// <summary>Writes a token.</summary>
    /// <param name="now">The present.</param>
    /// <param name="remote">Where the Retry goes; an IP address.</param>
    /// <param name="originalDestinationId">Where the client's first Initial went to.</param>
    /// <param name="retrySourceId">Where its next one shall go to.</param>
    /// <param name="destination">At least <see cref="LengthMax"/> bytes.</param>
    /// <returns>Bytes written.</returns>
    public int Write(
        Instant now, NetworkAddress remote, in ConnectionId originalDestinationId, in ConnectionId retrySourceId, Span<byte> destination)
    {
        BinaryPrimitives.WriteInt64BigEndian(destination, now.Nanoseconds);
        destination[sizeof(long)] = (byte)originalDestinationId.Length;
        originalDestinationId.Span.CopyTo(destination[HeaderLength..]);
        int length = HeaderLength + originalDestinationId.Length;
        ComputeTag(destination[..length], remote, retrySourceId, destination.Slice(length, TagLength));
        return length + TagLength;
    }

    /// <summary>Checks a token that a client has brought.</summary>
    /// <param name="now">The present.</param>
    /// <param name="remote">Where the client's Initial came from.</param>
    /// <param name="destinationId">Where that went to.</param>
    /// <param name="token">As it came.</param>
    /// <param name="originalDestinationId">Where its first Initial went to, if the result is true.</param>
    public bool TryRead(
        Instant now, NetworkAddress remote, in ConnectionId destinationId, ReadOnlySpan<byte> token, out ConnectionId originalDestinationId)
    {
        originalDestinationId = default;
        if (token.Length is < HeaderLength + TagLength or > LengthMax || token[sizeof(long)] != token.Length - HeaderLength - TagLength)
            return false;
        ReadOnlySpan<byte> content = token[..^TagLength];
        Span<byte> tag = stackalloc byte[TagLength];
        ComputeTag(content, remote, destinationId, tag);
        if (!CryptographicOperations.FixedTimeEquals(tag, token[^TagLength..]))
            return false;
        var issuedAt = new Instant(BinaryPrimitives.ReadInt64BigEndian(content));
        if (now - issuedAt > s_lifetime)
            return false;
        originalDestinationId = new ConnectionId(content[HeaderLength..]);
        return true;
    }

    private void ComputeTag(ReadOnlySpan<byte> content, NetworkAddress remote, in ConnectionId retrySourceId, Span<byte> tag)
    {
        const int AddressLengthMax = 16;
        Span<byte> signed = stackalloc byte[HeaderLength + ConnectionId.MaxLength + AddressLengthMax + 1 + sizeof(ushort) + ConnectionId.MaxLength];
        content.CopyTo(signed);
        int length = content.Length;
        int addressLength = remote.WriteAddress(signed[length..]);
        length += addressLength;
        signed[length++] = (byte)addressLength;
        BinaryPrimitives.WriteUInt16BigEndian(signed[length..], remote.Port);
        length += sizeof(ushort);
        retrySourceId.Span.CopyTo(signed[length..]);
        length += retrySourceId.Length;
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(_key, signed[..length], hash);
        hash[..TagLength].CopyTo(tag);
    }
}
