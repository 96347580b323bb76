using Iroh.Quic.Protocol.Primitives;

namespace Iroh;

/// <summary>A time provider's monotonic clock as the instants of decision logic.</summary>
internal static class TimeProviderInstants
{
    // A clock may count from any origin, such as the year 1, which is too far back for nanoseconds in 64 bits. Instants are only
    // compared: the upper bits of all of them are left out alike, and what remains comes round once in 146 years.
    private const long Mask = (1L << 62) - 1;

    /// <summary>The present moment.</summary>
    public static Instant Now(this TimeProvider time) =>
        new((long)((Int128)time.GetTimestamp() * 1_000_000_000 / time.TimestampFrequency & Mask));
}
