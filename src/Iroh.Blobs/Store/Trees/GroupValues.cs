using Iroh.Blobs.Bao;
using Iroh.Blobs.Store.Backends;
using Iroh.Cryptography;

namespace Iroh.Blobs.Store.Trees;

/// <summary>
/// The proven chaining values of a run of groups, out of an outboard that is not believed: every pair on the way from the root is checked.
/// Immutable.
/// </summary>
internal sealed class GroupValues
{
    /// <summary>Groups of a run: 4 MiB of content, whose pairs (16 KiB) lie together in the outboard and are read at once.</summary>
    public const int GroupsMax = 256;

    /// <summary>Groups that are hashed together: with sixteen the widest vectors are full up to the groups' tops.</summary>
    private const int NeighboursMax = 16;

    private const int ValueLength = BlobHash.Length;

    private readonly byte[] _values;
    private readonly bool[] _isKnown;
    private readonly bool _isRoot;

    private GroupValues(ulong firstGroup, int count, bool isRoot)
    {
        FirstGroup = firstGroup;
        _values = new byte[count * ValueLength];
        _isKnown = new bool[count];
        _isRoot = isRoot;
    }

    /// <summary>The index of the first group of the run.</summary>
    public ulong FirstGroup { get; }

    /// <summary>Groups in the run.</summary>
    public int Count => _isKnown.Length;

    /// <summary>Whether the run has this group.</summary>
    public bool Covers(ulong group) => group >= FirstGroup && group - FirstGroup < (ulong)Count;

    /// <summary>Whether the outboard proves the value of this group of the run.</summary>
    public bool Knows(ulong group) => _isKnown[(int)(group - FirstGroup)];

    /// <summary>Whether this is the content of a group whose value is known.</summary>
    public bool Matches(ulong group, ReadOnlySpan<byte> content)
    {
        Span<byte> value = stackalloc byte[ValueLength];
        Blake3.HashSubtree(content, group * BaoTree.GroupChunks, _isRoot, value);
        return value.SequenceEqual(_values.AsSpan((int)(group - FirstGroup) * ValueLength, ValueLength));
    }

    /// <summary>How many groups of the run from this one on are known and what the outboard says. Neighbours are hashed together, which is faster.</summary>
    /// <param name="group">The first.</param>
    /// <param name="content">Groups, whole but for the last one of the blob.</param>
    public int CountMatching(ulong group, ReadOnlySpan<byte> content)
    {
        Span<byte> values = stackalloc byte[NeighboursMax * ValueLength];
        int matching = 0;
        while (!content.IsEmpty && Covers(group + (uint)matching) && Knows(group + (uint)matching))
        {
            ulong first = group + (uint)matching;
            int index = (int)(first - FirstGroup);
            int count = Math.Min(Math.Min(NeighboursMax, Count - index), content.Length / BaoTree.GroupLength);
            if (count < 2)
            {
                int length = Math.Min(content.Length, BaoTree.GroupLength);
                if (!Matches(first, content[..length]))
                    break;
                matching++;
                content = content[length..];
                continue;
            }

            Blake3.HashSubtrees(content[..(count * BaoTree.GroupLength)], BaoTree.GroupLength, first * BaoTree.GroupChunks, values);
            for (int i = 0; i < count; i++)
            {
                if (!_isKnown[index + i] || !values.Slice(i * ValueLength, ValueLength).SequenceEqual(_values.AsSpan((index + i) * ValueLength, ValueLength)))
                    return matching + i;
            }

            matching += count;
            content = content[(count * BaoTree.GroupLength)..];
        }

        return matching;
    }

    /// <summary>Reads the run that has a group.</summary>
    /// <param name="root">The blob.</param>
    /// <param name="size">Its size.</param>
    /// <param name="outboard">Its outboard; null for a blob of one group.</param>
    /// <param name="group">The group.</param>
    public static GroupValues Read(BlobHash root, ulong size, IBlobFile? outboard, ulong group)
    {
        ulong first = 0, count = BaoTree.GroupCount(size);
        long offset = 0;
        bool isRoot = true, isProven = true;
        Span<byte> expected = stackalloc byte[ValueLength];
        root.CopyTo(expected);
        Span<byte> pair = stackalloc byte[BaoTree.PairLength];
        while (count > GroupsMax)
        {
            isProven = isProven && outboard!.Read(offset, pair) == pair.Length && IsPairOf(pair, isRoot, expected);
            ulong left = BaoTree.LeftCount(count);
            bool goLeft = group < first + left;
            (goLeft ? pair[..ValueLength] : pair[ValueLength..]).CopyTo(expected);
            offset += BaoTree.PairLength * (goLeft ? 1 : (long)left);
            first += goLeft ? 0 : left;
            count = goLeft ? left : count - left;
            isRoot = false;
        }

        var values = new GroupValues(first, (int)count, isRoot && count == 1);
        if (isProven)
            values.ReadPairs(outboard, offset, isRoot, expected);
        return values;
    }

    /// <summary>All runs that the outboard proves something of, in order; subtrees that it does not prove are passed over.</summary>
    public static IEnumerable<GroupValues> ReadProven(BlobHash root, ulong size, IBlobFile? outboard)
    {
        // As deep as the tree: the right halves of the nodes on the way down.
        var nodes = new Stack<(ulong First, ulong Count, long Offset, byte[] Expected)>();
        nodes.Push((0, BaoTree.GroupCount(size), 0, root.ToArray()));
        while (nodes.TryPop(out (ulong First, ulong Count, long Offset, byte[] Expected) node))
        {
            bool isRoot = node.First == 0 && node.Count == BaoTree.GroupCount(size);
            if (node.Count <= GroupsMax)
            {
                var values = new GroupValues(node.First, (int)node.Count, isRoot && node.Count == 1);
                values.ReadPairs(outboard, node.Offset, isRoot, node.Expected);
                yield return values;
                continue;
            }

            var pair = new byte[BaoTree.PairLength];
            if (outboard!.Read(node.Offset, pair) < pair.Length || !IsPairOf(pair, isRoot, node.Expected))
                continue;
            ulong left = BaoTree.LeftCount(node.Count);
            nodes.Push((node.First + left, node.Count - left, node.Offset + ((long)left * BaoTree.PairLength), pair[ValueLength..]));
            nodes.Push((node.First, left, node.Offset + BaoTree.PairLength, pair[..ValueLength]));
        }
    }

    /// <summary>Whether two chaining values make the one of the subtree above them.</summary>
    public static bool IsPairOf(ReadOnlySpan<byte> pair, bool isRoot, ReadOnlySpan<byte> expected)
    {
        Span<byte> value = stackalloc byte[ValueLength];
        Blake3.CombineSubtrees(pair[..ValueLength], pair[ValueLength..BaoTree.PairLength], isRoot, value);
        return value.SequenceEqual(expected);
    }

    private void ReadPairs(IBlobFile? outboard, long offset, bool isRoot, ReadOnlySpan<byte> expected)
    {
        var pairs = new byte[(Count - 1) * BaoTree.PairLength];
        if (Count > 1)
            outboard!.Read(offset, pairs); // what is missing at the end stays zero and proves nothing
        Fill(0, Count, pairs, isRoot, expected);
    }

    // Depth at most 8.
    private void Fill(int index, int count, ReadOnlySpan<byte> pairs, bool isRoot, ReadOnlySpan<byte> expected)
    {
        if (count == 1)
        {
            expected.CopyTo(_values.AsSpan(index * ValueLength));
            _isKnown[index] = true;
            return;
        }

        ReadOnlySpan<byte> pair = pairs[..BaoTree.PairLength];
        if (!IsPairOf(pair, isRoot, expected))
            return;
        int left = (int)BaoTree.LeftCount((ulong)count);
        Fill(index, left, pairs[BaoTree.PairLength..], false, pair[..ValueLength]);
        Fill(index + left, count - left, pairs[(left * BaoTree.PairLength)..], false, pair[ValueLength..]);
    }
}
