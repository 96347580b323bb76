namespace Iroh.Docs;

/// <summary>When an author says to have made an entry: microseconds since 1970 UTC, by the author's clock.</summary>
/// <param name="Microseconds">Any number; the wire has 64 bits.</param>
public readonly record struct EntryTimestamp(ulong Microseconds) : IComparable<EntryTimestamp>
{
    private static readonly ulong s_lastMicrosecond = (ulong)((DateTimeOffset.MaxValue - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond);

    /// <summary>Whether <paramref name="left"/> is earlier.</summary>
    public static bool operator <(EntryTimestamp left, EntryTimestamp right) => left.Microseconds < right.Microseconds;

    /// <summary>Whether <paramref name="left"/> is not later.</summary>
    public static bool operator <=(EntryTimestamp left, EntryTimestamp right) => left.Microseconds <= right.Microseconds;

    /// <summary>Whether <paramref name="left"/> is later.</summary>
    public static bool operator >(EntryTimestamp left, EntryTimestamp right) => left.Microseconds > right.Microseconds;

    /// <summary>Whether <paramref name="left"/> is not earlier.</summary>
    public static bool operator >=(EntryTimestamp left, EntryTimestamp right) => left.Microseconds >= right.Microseconds;

    /// <summary>The time in whole microseconds; before 1970 there is only zero.</summary>
    public static EntryTimestamp From(DateTimeOffset time) =>
        new((ulong)Math.Max(0, (time - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond));

    /// <summary>The timestamp <paramref name="span"/> later, or the last there is.</summary>
    /// <param name="span">Not negative.</param>
    public EntryTimestamp Add(TimeSpan span)
    {
        ulong microseconds = (ulong)(span.Ticks / TimeSpan.TicksPerMicrosecond);
        return new EntryTimestamp(microseconds > ulong.MaxValue - Microseconds ? ulong.MaxValue : Microseconds + microseconds);
    }

    /// <summary>The time; numbers beyond the year 9999 become its end.</summary>
    public DateTimeOffset ToDateTimeOffset() =>
        DateTimeOffset.UnixEpoch.AddTicks((long)Math.Min(Microseconds, s_lastMicrosecond) * TimeSpan.TicksPerMicrosecond);

    /// <inheritdoc/>
    public int CompareTo(EntryTimestamp other) => Microseconds.CompareTo(other.Microseconds);
}
