using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.ConnectionIds;

/// <summary>Makes connection ids: random bytes that tell nobody which ids belong together (RFC 9000 §5.1).</summary>
internal static class ConnectionIdGenerator
{
    /// <summary>
    /// Length of every id that an endpoint issues, in bytes. It is fixed because a short header does not say it; with 8 random
    /// bytes two of a million live ids are equal with a probability below 10^-7.
    /// </summary>
    public const int LocalLength = 8;

    /// <summary>An id under which this endpoint can be reached.</summary>
    public static ConnectionId NextLocal(RandomSource random) => Next(random, LocalLength);

    /// <summary>
    /// Where a client sends its first Initial. RFC 9000 §7.2 asks for 8 unpredictable bytes; 20, as noq has it, cannot be
    /// mistaken for an issued id.
    /// </summary>
    public static ConnectionId NextInitialDestination(RandomSource random) => Next(random, ConnectionId.MaxLength);

    private static ConnectionId Next(RandomSource random, int length)
    {
        Span<byte> bytes = stackalloc byte[ConnectionId.MaxLength];
        random.Fill(bytes[..length]);
        return new ConnectionId(bytes[..length]);
    }
}
