using System.Diagnostics;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Driving;

/// <summary>The host's monotonic clock as the protocol core's instants.</summary>
internal static class MonotonicClock
{
    private static readonly double NanosecondsPerTick = 1e9 / Stopwatch.Frequency;

    /// <summary>The present moment.</summary>
    public static Instant Now => new(Stopwatch.Frequency == 1_000_000_000
        ? Stopwatch.GetTimestamp()
        : (long)(Stopwatch.GetTimestamp() * NanosecondsPerTick));
}
