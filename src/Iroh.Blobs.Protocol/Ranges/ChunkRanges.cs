using Iroh.Blobs.Bao;

namespace Iroh.Blobs.Ranges;

/// <summary>
/// A set of chunks of a blob, as ranges: ascending boundaries, each even one beginning a range and each odd one ending it; a last range
/// may be open, which means to the end of any blob. Chunks have 1 KiB. Immutable.
/// </summary>
public sealed class ChunkRanges : IEquatable<ChunkRanges>
{
    /// <summary>
    /// The most boundaries that are read from a peer: 64 Ki ranges, a megabyte in memory. A set that gaps in groups of a blob of 2 GiB
    /// make stays below it; <see cref="FirstRanges"/> shortens what is sent.
    /// </summary>
    public const int BoundariesMax = 128 * 1024;

    private readonly ulong[] _boundaries;

    private ChunkRanges(ulong[] boundaries) => _boundaries = boundaries;

    /// <summary>Every chunk.</summary>
    public static ChunkRanges All { get; } = new([0]);

    /// <summary>No chunk.</summary>
    public static ChunkRanges Empty { get; } = new([]);

    /// <summary>The last chunk of any blob: a range beyond every end, which by the rule of <see cref="Resolve"/> leads to it.</summary>
    public static ChunkRanges LastChunk { get; } = new([ulong.MaxValue]);

    /// <summary>Where ranges begin (even positions) and end (odd positions), in chunks.</summary>
    public ReadOnlySpan<ulong> Boundaries => _boundaries;

    /// <summary>Whether this is every chunk.</summary>
    public bool IsAll => _boundaries is [0];

    /// <summary>Whether there is no chunk in it.</summary>
    public bool IsEmpty => _boundaries.Length == 0;

    /// <summary>Whether the last range has no end.</summary>
    public bool IsOpen => _boundaries.Length % 2 == 1;

    /// <summary>Ranges in the set.</summary>
    public int RangeCount => (_boundaries.Length + 1) / 2;

    /// <summary>The chunks from <paramref name="start"/> to before <paramref name="end"/>; none if that is not behind the start.</summary>
    public static ChunkRanges FromChunks(ulong start, ulong end) => start < end ? new([start, end]) : Empty;

    /// <summary>The chunks from <paramref name="start"/> on.</summary>
    public static ChunkRanges FromChunk(ulong start) => new([start]);

    /// <summary>The chunks that hold any of <paramref name="length"/> bytes at <paramref name="offset"/>.</summary>
    public static ChunkRanges FromBytes(ulong offset, ulong length)
    {
        if (length == 0)
            return Empty;
        ulong last = length - 1 > ulong.MaxValue - offset ? ulong.MaxValue : offset + (length - 1);
        return FromChunks(offset / BaoTree.ChunkLength, (last / BaoTree.ChunkLength) + 1);
    }

    /// <summary>A set from its boundaries.</summary>
    /// <param name="boundaries">Strictly ascending, of any number.</param>
    /// <param name="ranges">The set; empty if the boundaries do not ascend.</param>
    public static bool TryFromBoundaries(ReadOnlySpan<ulong> boundaries, out ChunkRanges ranges)
    {
        ranges = Empty;
        for (int i = 1; i < boundaries.Length; i++)
            if (boundaries[i] <= boundaries[i - 1])
                return false;
        ranges = new ChunkRanges(boundaries.ToArray());
        return true;
    }

    /// <summary>Whether a chunk is in the set.</summary>
    public bool Contains(ulong chunk)
    {
        int index = Array.BinarySearch(_boundaries, chunk);
        return index >= 0 ? index % 2 == 0 : ~index % 2 == 1;
    }

    /// <summary>Whether every chunk of <paramref name="other"/> is in the set.</summary>
    public bool Contains(ChunkRanges other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return IsAll || other.Except(this).IsEmpty;
    }

    /// <summary>The chunks that are in either set.</summary>
    public ChunkRanges Union(ChunkRanges other) => Combine(other, static (mine, theirs) => mine || theirs);

    /// <summary>The chunks that are in both sets.</summary>
    public ChunkRanges Intersect(ChunkRanges other) => Combine(other, static (mine, theirs) => mine && theirs);

    /// <summary>The chunks of this set that are not in the other.</summary>
    public ChunkRanges Except(ChunkRanges other) => Combine(other, static (mine, theirs) => mine && !theirs);

    /// <summary>The chunks that are in one of the sets alone.</summary>
    public ChunkRanges SymmetricExcept(ChunkRanges other) => Combine(other, static (mine, theirs) => mine != theirs);

    /// <summary>The first ranges of the set.</summary>
    /// <param name="count">How many at most.</param>
    public ChunkRanges FirstRanges(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        return count >= RangeCount ? this : new ChunkRanges(_boundaries[..(2 * count)]);
    }

    /// <summary>
    /// The form that both ends of a stream bring a selection into before they walk the tree of a blob of this size; the order of the
    /// stream's items depends on it. What is selected at or behind the end selects the last chunk.
    /// </summary>
    /// <returns>A set with at most one boundary behind the last chunk, and that a start.</returns>
    public ChunkRanges Normalize(ulong size)
    {
        int index = Array.BinarySearch(_boundaries, BaoTree.LastChunk(size));
        int keep;
        if (index >= 0)
        {
            // The last chunk is a boundary. If a range ends before it and another follows, which leads to the last chunk, the two become
            // one.
            bool isStart = index % 2 == 0;
            bool isFinal = index == _boundaries.Length - 1;
            keep = isStart || isFinal ? index + 1 : index;
        }
        else
        {
            // Within a range, that becomes open; outside, the start of the next one is kept, if there is one.
            index = ~index;
            bool isInside = index % 2 == 1;
            keep = isInside ? index : Math.Min(index + 1, _boundaries.Length);
        }

        return keep == _boundaries.Length ? this : new ChunkRanges(_boundaries[..keep]);
    }

    /// <summary>
    /// The chunks that this selects in a blob of a size: without an open range, and with the last chunk if anything at or behind the end
    /// is selected.
    /// </summary>
    public ChunkRanges Resolve(ulong size)
    {
        ulong count = BaoTree.ChunkCount(size);
        ChunkRanges inside = Intersect(FromChunks(0, count));
        bool reachesEnd = IsOpen || (!IsEmpty && _boundaries[^1] > count);
        return reachesEnd ? inside.Union(FromChunks(count - 1, count)) : inside;
    }

    /// <summary>The set with every group that it touches made whole: what must be there to prove its chunks.</summary>
    public ChunkRanges ExpandToGroups()
    {
        if (IsEmpty)
            return this;
        var boundaries = new List<ulong>(_boundaries.Length);
        for (int i = 0; i < _boundaries.Length; i++)
        {
            ulong boundary = _boundaries[i];
            ulong group = boundary / BaoTree.GroupChunks * BaoTree.GroupChunks;
            if (i % 2 == 0)
            {
                if (boundaries.Count > 0 && boundaries[^1] >= group)
                    boundaries.RemoveAt(boundaries.Count - 1);
                else
                    boundaries.Add(group);
            }
            else if (boundary == group)
            {
                boundaries.Add(boundary);
            }
            else if (group <= ulong.MaxValue - BaoTree.GroupChunks)
            {
                boundaries.Add(group + BaoTree.GroupChunks);
            }
            else
            {
                break; // the last group that can be counted has no end: the range is open, and nothing can follow
            }
        }

        return new ChunkRanges([.. boundaries]);
    }

    /// <summary>The whole groups among the chunks of a blob of a size: those of which every chunk is in the set.</summary>
    /// <returns>Boundaries are multiples of a group or the end of the blob.</returns>
    public ChunkRanges WholeGroups(ulong size)
    {
        ChunkRanges blob = FromChunks(0, BaoTree.ChunkCount(size));
        return blob.Except(blob.Except(this).ExpandToGroups());
    }

    /// <summary>How many bytes of a blob of a size are in chunks of the set. Says nothing of chunks behind its end.</summary>
    public ulong CountBytes(ulong size)
    {
        ulong bytes = 0;
        for (int i = 0; i < _boundaries.Length; i += 2)
        {
            ulong start = ByteOffset(_boundaries[i]);
            ulong end = i + 1 < _boundaries.Length ? ByteOffset(_boundaries[i + 1]) : size;
            bytes += Math.Min(end, size) - Math.Min(start, size);
        }

        return bytes;

        static ulong ByteOffset(ulong chunk) => chunk > ulong.MaxValue / BaoTree.ChunkLength ? ulong.MaxValue : chunk * BaoTree.ChunkLength;
    }

    /// <inheritdoc/>
    public bool Equals(ChunkRanges? other) => other is not null && Boundaries.SequenceEqual(other.Boundaries);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ChunkRanges);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        foreach (ulong boundary in _boundaries)
            hash.Add(boundary);
        return hash.ToHashCode();
    }

    /// <summary>The ranges as <c>0..16, 40..</c>; the first eight of them.</summary>
    public override string ToString()
    {
        const int shown = 8;
        if (IsEmpty)
            return "nothing";
        IEnumerable<string> ranges = _boundaries.Chunk(2).Take(shown).Select(range => $"{range[0]}..{(range.Length > 1 ? range[1] : "")}");
        return string.Join(", ", ranges) + (RangeCount > shown ? ", …" : "");
    }

    // Goes through the boundaries of both in order and keeps those at which the combined membership changes.
    private ChunkRanges Combine(ChunkRanges other, Func<bool, bool, bool> isIn)
    {
        ArgumentNullException.ThrowIfNull(other);
        ulong[] mine = _boundaries, theirs = other._boundaries;
        var result = new ulong[mine.Length + theirs.Length];
        int count = 0, i = 0, j = 0;
        while (i < mine.Length || j < theirs.Length)
        {
            ulong at = j == theirs.Length || (i < mine.Length && mine[i] <= theirs[j]) ? mine[i] : theirs[j];
            if (i < mine.Length && mine[i] == at)
                i++;
            if (j < theirs.Length && theirs[j] == at)
                j++;
            if (isIn(i % 2 == 1, j % 2 == 1) != (count % 2 == 1))
                result[count++] = at;
        }

        return count == 0 ? Empty : new ChunkRanges(result[..count]);
    }
}
