namespace Iroh.Quic.Protocol.Streams;

/// <summary>A part of a byte stream: from <paramref name="Start"/>, up to and without <paramref name="End"/>.</summary>
internal readonly record struct OffsetRange(ulong Start, ulong End);

/// <summary>
/// A set of stream offsets as sorted, disjoint, non-adjacent ranges. Looking up is logarithmic; changing it at one end, the usual case,
/// moves little. The owner bounds the number of ranges.
/// </summary>
internal sealed class OffsetRanges
{
    private OffsetRange[] _ranges = [];
    private int _count;

    /// <summary>Number of ranges.</summary>
    public int Count => _count;

    /// <summary>The lowest range. The set is not empty.</summary>
    public OffsetRange First => _ranges[0];

    /// <summary>The range at <paramref name="index"/>, counted from the lowest.</summary>
    public OffsetRange this[int index] => _ranges[index];

    /// <summary>Removes everything.</summary>
    public void Clear() => _count = 0;

    /// <summary>Adds all offsets from <paramref name="start"/> up to and without <paramref name="end"/>.</summary>
    public void Add(ulong start, ulong end)
    {
        if (start >= end)
            return;

        // Ranges [low, high) overlap the new one or touch it; it takes their place.
        int low = FirstEndingAtOrAfter(start);
        int high = low;
        while (high < _count && _ranges[high].Start <= end)
            high++;
        if (low < high)
        {
            start = Math.Min(start, _ranges[low].Start);
            end = Math.Max(end, _ranges[high - 1].End);
        }

        Replace(low, high, 1);
        _ranges[low] = new OffsetRange(start, end);
    }

    /// <summary>Removes all offsets from <paramref name="start"/> up to and without <paramref name="end"/>.</summary>
    public void Remove(ulong start, ulong end)
    {
        if (start >= end || _count == 0)
            return;
        int low = FirstEndingAtOrAfter(start + 1);
        int high = low;
        while (high < _count && _ranges[high].Start < end)
            high++;
        if (low == high)
            return;

        var left = new OffsetRange(_ranges[low].Start, start);
        var right = new OffsetRange(end, _ranges[high - 1].End);
        bool keepLeft = left.Start < left.End;
        bool keepRight = right.Start < right.End;
        Replace(low, high, (keepLeft ? 1 : 0) + (keepRight ? 1 : 0));
        if (keepLeft)
            _ranges[low++] = left;
        if (keepRight)
            _ranges[low] = right;
    }

    /// <summary>Removes every offset that <paramref name="other"/> holds between <paramref name="start"/> and <paramref name="end"/>.</summary>
    public void RemoveAllIn(OffsetRanges other, ulong start, ulong end)
    {
        for (int i = other.FirstEndingAtOrAfter(start + 1); i < other._count && other._ranges[i].Start < end; i++)
            Remove(other._ranges[i].Start, other._ranges[i].End);
    }

    // The first range whose end is not below the offset: the one that a range starting there would touch.
    private int FirstEndingAtOrAfter(ulong offset)
    {
        if (_count == 0 || _ranges[_count - 1].End < offset)
            return _count;
        int low = 0;
        int high = _count - 1;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_ranges[middle].End < offset)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    // Makes the ranges [low, high) into `count` slots for the caller to fill.
    private void Replace(int low, int high, int count)
    {
        int grown = _count + count - (high - low);
        if (grown > _ranges.Length)
            Array.Resize(ref _ranges, Math.Max(grown, Math.Max(4, _ranges.Length * 2)));
        if (low + count != high)
            Array.Copy(_ranges, high, _ranges, low + count, _count - high);
        _count = grown;
    }
}
