using Iroh.Blobs.Bao;

namespace Iroh.Blobs.Store.Writing;

/// <summary>
/// What a writer keeps of a size that contradicts the claim that came first: the pairs on the way to the last chunk, until that chunk comes
/// and proves the size. A wrong size cannot get so far, since no chunk verifies at the end of a tree of another shape.
/// </summary>
internal sealed class SizeProof
{
    private readonly List<(long Offset, byte[] Pair)> _pairs = [];
    private readonly HashSet<long> _way = [];

    public SizeProof(ulong size)
    {
        Size = size;
        long offset = 0;
        for (ulong groups = BaoTree.GroupCount(size); groups > 1;)
        {
            _way.Add(offset);
            ulong left = BaoTree.LeftCount(groups);
            offset += (long)left * BaoTree.PairLength;
            groups -= left;
        }
    }

    public ulong Size { get; }

    public IReadOnlyList<(long Offset, byte[] Pair)> Pairs => _pairs;

    /// <summary>Keeps a pair, at most one for each place on the way.</summary>
    /// <returns>False if it is not on the way.</returns>
    public bool TryKeep(long offset, ReadOnlySpan<byte> pair)
    {
        if (!_way.Contains(offset))
            return false;
        if (!_pairs.Exists(kept => kept.Offset == offset))
            _pairs.Add((offset, pair.ToArray()));
        return true;
    }

    /// <summary>Whether content from here to the end is of the last group alone, and all pairs above it came.</summary>
    public bool IsLastGroup(long offset) =>
        _pairs.Count == _way.Count && (ulong)offset >= (BaoTree.GroupCount(Size) - 1) * BaoTree.GroupLength;
}
