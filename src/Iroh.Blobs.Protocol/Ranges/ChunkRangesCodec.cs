using System.Buffers;
using Iroh.Base.Serialization;

namespace Iroh.Blobs.Ranges;

/// <summary>
/// The two forms that ranges have on the wire. Both begin with the number of boundaries; in requests each boundary is the distance from
/// the one before, in messages about what is there each is the chunk itself.
/// </summary>
public static class ChunkRangesCodec
{
    /// <summary>Writes the form of requests (iroh's <c>RangeSpec</c>).</summary>
    public static void WriteDistances(PostcardWriter writer, ChunkRanges ranges)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(ranges);
        writer.WriteVarint((ulong)ranges.Boundaries.Length);
        ulong last = 0;
        foreach (ulong boundary in ranges.Boundaries)
        {
            writer.WriteVarint(boundary - last);
            last = boundary;
        }
    }

    /// <summary>Reads the form of requests, of at most <see cref="ChunkRanges.BoundariesMax"/> boundaries, which must ascend.</summary>
    public static bool TryReadDistances(ref PostcardReader reader, out ChunkRanges ranges) => TryRead(ref reader, areDistances: true, out ranges);

    /// <summary>Writes the form of messages about what is there.</summary>
    public static void WriteChunks(PostcardWriter writer, ChunkRanges ranges)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(ranges);
        writer.WriteVarint((ulong)ranges.Boundaries.Length);
        foreach (ulong boundary in ranges.Boundaries)
            writer.WriteVarint(boundary);
    }

    /// <summary>
    /// Reads the form of messages about what is there, of at most <see cref="ChunkRanges.BoundariesMax"/> boundaries, which must ascend.
    /// </summary>
    public static bool TryReadChunks(ref PostcardReader reader, out ChunkRanges ranges) => TryRead(ref reader, areDistances: false, out ranges);

    private static bool TryRead(ref PostcardReader reader, bool areDistances, out ChunkRanges ranges)
    {
        ranges = ChunkRanges.Empty;
        // A boundary has at least one byte, so what is allocated is in proportion to what has arrived.
        if (!reader.TryReadUInt64(out ulong count) || count > ChunkRanges.BoundariesMax || count > (ulong)reader.Remaining)
            return false;
        ulong[] boundaries = ArrayPool<ulong>.Shared.Rent((int)count);
        try
        {
            ulong last = 0;
            for (int i = 0; i < (int)count; i++)
            {
                if (!reader.TryReadUInt64(out ulong value) || (areDistances && value > ulong.MaxValue - last))
                    return false;
                boundaries[i] = last = areDistances ? last + value : value;
            }

            return ChunkRanges.TryFromBoundaries(boundaries.AsSpan(0, (int)count), out ranges);
        }
        finally
        {
            ArrayPool<ulong>.Shared.Return(boundaries);
        }
    }
}
