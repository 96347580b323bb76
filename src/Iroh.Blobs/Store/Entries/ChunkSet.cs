using Iroh.Blobs.Bao;
using Iroh.Blobs.Ranges;

namespace Iroh.Blobs.Store.Entries;

/// <summary>
/// The chunks of a partial blob that are here; unlike <see cref="ChunkRanges"/> it grows in place, in the time of a binary search when a
/// download goes on where it was. Not thread-safe.
/// </summary>
internal sealed class ChunkSet
{
    // Starts (even positions) and ends (odd positions) in ascending order. Even in number.
    private readonly List<ulong> _boundaries = [];

    public ChunkSet()
    {
    }

    /// <param name="ranges">Chunks of the blob, without an open end.</param>
    public ChunkSet(ChunkRanges ranges) => _boundaries.AddRange(ranges.Boundaries);

    /// <summary>Chunks in the set.</summary>
    public ulong Count
    {
        get
        {
            ulong count = 0;
            for (int i = 0; i < _boundaries.Count; i += 2)
                count += _boundaries[i + 1] - _boundaries[i];
            return count;
        }
    }

    public bool IsEmpty => _boundaries.Count == 0;

    /// <summary>Whether all chunks from <paramref name="start"/> to before <paramref name="end"/> are in the set.</summary>
    public bool Contains(ulong start, ulong end) => NextMissing(start) >= end;

    /// <summary>The first chunk at or after <paramref name="start"/> that is not in the set.</summary>
    public ulong NextMissing(ulong start)
    {
        int index = LastAtOrBefore(start);
        return index >= 0 && index % 2 == 0 ? _boundaries[index + 1] : start;
    }

    /// <summary>Puts chunks in.</summary>
    /// <returns>How many of them are new.</returns>
    public ulong Add(ulong start, ulong end)
    {
        // All ranges that touch the new one become one with it.
        int first = LastAtOrBefore(start);
        if (first >= 0)
            first -= first % 2 == 0 || _boundaries[first] == start ? first % 2 : -1;
        else
            first = 0;
        int next = first;
        ulong newStart = start, newEnd = end, present = 0;
        while (next < _boundaries.Count && _boundaries[next] <= end)
        {
            ulong rangeStart = _boundaries[next], rangeEnd = _boundaries[next + 1];
            present += Math.Min(rangeEnd, end) - Math.Min(Math.Max(rangeStart, start), Math.Min(rangeEnd, end));
            newStart = Math.Min(newStart, rangeStart);
            newEnd = Math.Max(newEnd, rangeEnd);
            next += 2;
        }

        if (next - first == 2)
        {
            _boundaries[first] = newStart;
            _boundaries[first + 1] = newEnd;
        }
        else
        {
            _boundaries.RemoveRange(first, next - first);
            _boundaries.InsertRange(first, [newStart, newEnd]);
        }

        return end - start - present;
    }

    /// <summary>Takes chunks out.</summary>
    public void Remove(ulong start, ulong end)
    {
        ChunkRanges rest = ToRanges().Except(ChunkRanges.FromChunks(start, end));
        _boundaries.Clear();
        _boundaries.AddRange(rest.Boundaries);
    }

    /// <summary>The set as it is now.</summary>
    public ChunkRanges ToRanges() =>
        ChunkRanges.TryFromBoundaries([.. _boundaries], out ChunkRanges ranges) ? ranges : throw new InvalidOperationException("the set is out of order");

    /// <summary>Bytes of a blob of a size that are in the set.</summary>
    public long CountBytes(ulong size)
    {
        ulong bytes = Count * BaoTree.ChunkLength;
        bool hasLast = !IsEmpty && _boundaries[^1] == BaoTree.ChunkCount(size);
        return (long)(hasLast ? bytes - (BaoTree.ChunkCount(size) * BaoTree.ChunkLength) + size : bytes);
    }

    private int LastAtOrBefore(ulong chunk)
    {
        int index = _boundaries.BinarySearch(chunk);
        return index >= 0 ? index : ~index - 1;
    }
}
