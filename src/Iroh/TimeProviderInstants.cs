using Iroh.Quic.Protocol.Primitives;

namespace Iroh;

/// <summary>A time provider's monotonic clock as the instants of decision logic.</summary>
internal static class TimeProviderInstants
{
    /// <summary>The present moment.</summary>
    public static Instant Now(this TimeProvider time) => new((long)(time.GetTimestamp() * (1e9 / time.TimestampFrequency)));
}
