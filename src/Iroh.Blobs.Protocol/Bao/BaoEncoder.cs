using Iroh.Blobs.Ranges;
using Iroh.Cryptography;

namespace Iroh.Blobs.Bao;

/// <summary>What a <see cref="BaoEncoder"/> needs next.</summary>
public enum BaoEncoderNeed
{
    /// <summary>Nothing: the stream is complete.</summary>
    Nothing,

    /// <summary>The pair at <see cref="BaoEncoder.PairOffset"/> of the outboard.</summary>
    Pair,

    /// <summary>The content of the group at <see cref="BaoEncoder.GroupOffset"/>, all of which goes out as it is.</summary>
    WholeGroup,

    /// <summary>The content of the group at <see cref="BaoEncoder.GroupOffset"/>, parts of which go out.</summary>
    PartOfGroup,
}

/// <summary>
/// Makes the verified stream of a selection of a blob, which begins with the size (<see cref="BaoTree.WriteSize"/>) and goes on with what
/// comes from here. Pairs and groups are proven on the way, so that damage at home is found before it is sent, unless their owner says that
/// it has proven a group itself. Holds a few kilobytes. Has one owner at a time.
/// </summary>
public sealed class BaoEncoder
{
    /// <summary>The most that a group becomes: its content and a pair for each chunk but one.</summary>
    public const int GroupEncodingLengthMax = BaoTree.GroupLength + ((BaoTree.GroupChunks - 1) * BaoTree.PairLength);

    private readonly BaoWalk _walk;
    private readonly ExpectedValues _expected;
    private readonly ulong _size;

    /// <summary>Starts behind the size.</summary>
    /// <param name="root">The blob.</param>
    /// <param name="size">Its size, at most <see cref="BaoTree.SizeMax"/>.</param>
    /// <param name="ranges">What is selected, as it was asked for.</param>
    public BaoEncoder(BlobHash root, ulong size, ChunkRanges ranges)
    {
        _walk = new BaoWalk(size, ranges);
        _expected = new ExpectedValues(root);
        _size = size;
        Advance();
    }

    /// <summary>What is needed next.</summary>
    public BaoEncoderNeed Need { get; private set; }

    /// <summary>Where in the outboard the pair is that is needed, in bytes.</summary>
    public long PairOffset => _walk.Current.OutboardOffset;

    /// <summary>Where in the blob the group begins that is needed, in bytes.</summary>
    public long GroupOffset => _walk.Current.GroupOffset;

    /// <summary>Bytes of the group that is needed.</summary>
    public int GroupLength => BaoTree.GroupLengthAt(_size, GroupOffset);

    /// <summary>Takes the pair that is needed. On success the same bytes are the stream's next.</summary>
    /// <param name="pair">Exactly <see cref="BaoTree.PairLength"/> bytes.</param>
    /// <returns>False if the pair is damaged; then the stream cannot be completed.</returns>
    public bool TryTakePair(ReadOnlySpan<byte> pair)
    {
        Require(Need == BaoEncoderNeed.Pair);
        ArgumentOutOfRangeException.ThrowIfNotEqual(pair.Length, BaoTree.PairLength);
        if (!_expected.TryTakePair(_walk.Current, pair))
            return false;
        Advance();
        return true;
    }

    /// <summary>Takes a group that goes out whole. On success the same bytes are the stream's next.</summary>
    /// <param name="group">Exactly <see cref="GroupLength"/> bytes.</param>
    /// <returns>False if the group is damaged; then the stream cannot be completed.</returns>
    public bool TryTakeWholeGroup(ReadOnlySpan<byte> group)
    {
        Require(Need == BaoEncoderNeed.WholeGroup);
        if (!TryProve(group))
            return false;
        Advance();
        return true;
    }

    /// <summary>
    /// Takes a group that goes out whole and that its owner has proven by the blob's hash a moment ago: it is not hashed once more. Its bytes are
    /// the stream's next.
    /// </summary>
    public void TakeProvenGroup()
    {
        Require(Need == BaoEncoderNeed.WholeGroup);
        _expected.Skip();
        Advance();
    }

    /// <summary>Takes a group of which parts go out, and writes them with the pairs that prove them.</summary>
    /// <param name="group">Exactly <see cref="GroupLength"/> bytes.</param>
    /// <param name="output">Room for <see cref="GroupEncodingLengthMax"/> bytes; the stream's next bytes go to its front.</param>
    /// <param name="written">How many they are.</param>
    /// <returns>False if the group is damaged; then the stream cannot be completed.</returns>
    public bool TryTakePartOfGroup(ReadOnlySpan<byte> group, Span<byte> output, out int written)
    {
        Require(Need == BaoEncoderNeed.PartOfGroup);
        ArgumentOutOfRangeException.ThrowIfLessThan(output.Length, GroupEncodingLengthMax);
        written = 0;
        if (!TryProve(group))
            return false;
        long groupOffset = GroupOffset;
        do
        {
            BaoItem item = _walk.Current;
            ReadOnlySpan<byte> content = group.Slice((int)(item.Offset - groupOffset), (int)item.Length);
            if (item.Kind == BaoItemKind.Leaf)
                content.CopyTo(output[written..]);
            else
                WritePair(content, item.FirstChunk, output[written..]);
            written += item.EncodedLength;
            Advance();
        }
        while (Need >= BaoEncoderNeed.WholeGroup && GroupOffset == groupOffset);
        return true;
    }

    // The pair of a subtree of two chunks or more, from its content.
    private static void WritePair(ReadOnlySpan<byte> content, ulong firstChunk, Span<byte> destination)
    {
        ulong leftChunks = BaoTree.LeftCount(BaoTree.ChunkCount((ulong)content.Length));
        int leftLength = (int)leftChunks * BaoTree.ChunkLength;
        Blake3.HashSubtree(content[..leftLength], firstChunk, isRoot: false, destination);
        Blake3.HashSubtree(content[leftLength..], firstChunk + leftChunks, isRoot: false, destination[BlobHash.Length..]);
    }

    private static void Require(bool condition)
    {
        if (!condition)
            throw new InvalidOperationException("Something else is needed next.");
    }

    // The first item of a group is its top, so the value that is due is that of the whole group.
    private bool TryProve(ReadOnlySpan<byte> group)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(group.Length, GroupLength);
        return _expected.TryTakeContent((ulong)GroupOffset / BaoTree.ChunkLength, (ulong)group.Length == _size, group);
    }

    private void Advance()
    {
        if (!_walk.MoveNext())
            Need = BaoEncoderNeed.Nothing;
        else if (!_walk.Current.IsInGroup)
            Need = BaoEncoderNeed.Pair;
        else
            Need = _walk.Current.EncodedLength == GroupLength && _walk.Current.Kind == BaoItemKind.Leaf
                ? BaoEncoderNeed.WholeGroup
                : BaoEncoderNeed.PartOfGroup;
    }
}
