using Iroh.Blobs.Ranges;

namespace Iroh.Blobs.Bao;

/// <summary>
/// Lists the items of the verified stream of a selection of a blob, in the order of the stream. Both ends of a stream walk alike: there
/// are no marks in it. Holds a few kilobytes, whatever the size. Has one owner at a time.
/// </summary>
/// <remarks>
/// Depth first: of a subtree of which nothing is selected, nothing; a single chunk, or a subtree of at most 16 chunks that is selected
/// whole, as a leaf; otherwise a pair, then the left half, then the right one.
/// </remarks>
public sealed class BaoWalk
{
    private readonly ulong _size;
    private readonly ulong[] _boundaries;

    // Halves that are to be visited yet: at most one for each level on the way down, and the one at hand.
    private readonly Frame[] _stack = new Frame[BaoTree.DepthMax + 2];
    private int _depth;

    /// <summary>Starts before the first item.</summary>
    /// <param name="size">The size of the blob, at most <see cref="BaoTree.SizeMax"/>.</param>
    /// <param name="ranges">What is selected, as it was asked for: it is normalised here.</param>
    public BaoWalk(ulong size, ChunkRanges ranges)
    {
        ArgumentNullException.ThrowIfNull(ranges);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, BaoTree.SizeMax);
        _size = size;
        _boundaries = ranges.Normalize(size).Boundaries.ToArray();
        if (_boundaries.Length > 0)
            Push(new Frame(0, BaoTree.ChunkCount(size), 0, _boundaries.Length, 0));
    }

    /// <summary>The item at hand, after <see cref="MoveNext"/> returned true.</summary>
    public BaoItem Current { get; private set; }

    /// <summary>Goes to the next item.</summary>
    /// <returns>False behind the last one.</returns>
    public bool MoveNext()
    {
        if (_depth == 0)
            return false;
        Frame frame = _stack[--_depth];
        Current = IsLeaf(frame) ? ItemOf(frame) : Split(frame);
        return true;
    }

    // Selected whole: the only boundary begins a range, at or before the first chunk.
    private bool IsLeaf(in Frame frame) =>
        frame.Chunks == 1
        || (frame.Chunks <= BaoTree.GroupChunks && frame.End - frame.First == 1 && _boundaries[frame.First] <= frame.FirstChunk);

    private BaoItem ItemOf(in Frame frame)
    {
        ulong offset = frame.FirstChunk * BaoTree.ChunkLength;
        ulong length = Math.Min(_size - offset, frame.Chunks * BaoTree.ChunkLength);
        return new BaoItem
        {
            Kind = BaoItemKind.Leaf,
            Offset = (long)offset,
            Length = (long)length,
            OutboardOffset = BaoItem.NotInOutboard,
            IsRoot = length == _size,
        };
    }

    private BaoItem Split(in Frame frame)
    {
        ulong leftChunks = BaoTree.LeftCount(frame.Chunks);
        ulong middle = frame.FirstChunk + leftChunks;
        int at = Array.BinarySearch(_boundaries, frame.First, frame.End - frame.First, middle);
        int leftEnd, rightFirst;
        if (at >= 0)
        {
            // A range that ends in the middle is open in the left half and none of the right one's.
            leftEnd = at;
            rightFirst = at % 2 == 0 ? at : at + 1;
        }
        else
        {
            // A range across the middle is open in the left half, and begins before the right one.
            leftEnd = ~at;
            rightFirst = leftEnd % 2 == 0 ? leftEnd : leftEnd - 1;
        }

        bool hasRight = rightFirst < frame.End, hasLeft = leftEnd > frame.First;
        bool isInOutboard = frame.Chunks > BaoTree.GroupChunks;
        if (hasRight)
        {
            // Groups of the left half count only above the groups; below, the offset has no meaning and stays.
            long skip = isInOutboard ? (long)(leftChunks / BaoTree.GroupChunks * BaoTree.PairLength) : 0;
            Push(new Frame(middle, frame.Chunks - leftChunks, rightFirst, frame.End, frame.OutboardOffset + skip));
        }

        if (hasLeft)
            Push(new Frame(frame.FirstChunk, leftChunks, frame.First, leftEnd, frame.OutboardOffset + BaoTree.PairLength));
        return ItemOf(frame) with
        {
            Kind = BaoItemKind.Pair,
            OutboardOffset = isInOutboard ? frame.OutboardOffset : BaoItem.NotInOutboard,
            HasLeft = hasLeft,
            HasRight = hasRight,
        };
    }

    private void Push(in Frame frame) => _stack[_depth++] = frame;

    // A subtree, the part of the boundaries that concerns it (from First to before End), and where its pair is in the outboard.
    private readonly record struct Frame(ulong FirstChunk, ulong Chunks, int First, int End, long OutboardOffset);
}
