namespace Iroh.Quic.Protocol.Primitives;

/// <summary>
/// A point on the host's monotonic clock, in nanoseconds since an origin that only the host knows. Cores compare and subtract
/// instants; only drivers and simulations create them.
/// </summary>
public readonly record struct Instant(long Nanoseconds) : IComparable<Instant>
{
    /// <summary>Later than every instant a clock can show.</summary>
    public static Instant Never => new(long.MaxValue);

    /// <summary>The instant <paramref name="duration"/> after <paramref name="instant"/>, at most <see cref="Never"/>.</summary>
    public static Instant operator +(Instant instant, TimeSpan duration)
    {
        Int128 sum = instant.Nanoseconds + ((Int128)duration.Ticks * 100);
        return new Instant(sum >= long.MaxValue ? long.MaxValue : (long)sum);
    }

    /// <summary>The instant <paramref name="duration"/> before <paramref name="instant"/>.</summary>
    public static Instant operator -(Instant instant, TimeSpan duration) => new(instant.Nanoseconds - (duration.Ticks * 100));

    /// <summary>The time from <paramref name="earlier"/> to <paramref name="later"/>, negative if they are the other way round.</summary>
    public static TimeSpan operator -(Instant later, Instant earlier) => new((later.Nanoseconds - earlier.Nanoseconds) / 100);

    /// <summary>Whether <paramref name="a"/> is before <paramref name="b"/>.</summary>
    public static bool operator <(Instant a, Instant b) => a.Nanoseconds < b.Nanoseconds;

    /// <summary>Whether <paramref name="a"/> is after <paramref name="b"/>.</summary>
    public static bool operator >(Instant a, Instant b) => a.Nanoseconds > b.Nanoseconds;

    /// <summary>Whether <paramref name="a"/> is not after <paramref name="b"/>.</summary>
    public static bool operator <=(Instant a, Instant b) => a.Nanoseconds <= b.Nanoseconds;

    /// <summary>Whether <paramref name="a"/> is not before <paramref name="b"/>.</summary>
    public static bool operator >=(Instant a, Instant b) => a.Nanoseconds >= b.Nanoseconds;

    /// <summary>The earlier of two instants.</summary>
    public static Instant Min(Instant a, Instant b) => a <= b ? a : b;

    /// <summary>The later of two instants.</summary>
    public static Instant Max(Instant a, Instant b) => a >= b ? a : b;

    /// <inheritdoc/>
    public int CompareTo(Instant other) => Nanoseconds.CompareTo(other.Nanoseconds);
}
