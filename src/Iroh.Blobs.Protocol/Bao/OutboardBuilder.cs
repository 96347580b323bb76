using System.Buffers;
using System.Numerics;
using Iroh.Cryptography;

namespace Iroh.Blobs.Bao;

/// <summary>
/// Hashes a blob of any size that comes in parts, and gives out the pairs of its outboard as soon as they are final, so that the outboard
/// need not fit into memory. Has one owner at a time.
/// </summary>
/// <remarks>
/// Pairs come in the order of <see cref="BaoTree.PairOffsetsAsHashed"/>, which says where each belongs as soon as the size is known: at
/// once, if it is known before, or at the end. What has been given out and not cleared is kept: 64 bytes for each 16 KiB taken.
/// </remarks>
public sealed class OutboardBuilder
{
    private const int GroupLength = BaoTree.GroupLength;
    private const int ValueLength = Blake3.HashLength;

    /// <summary>Groups that are hashed at once: enough to fill the lanes of the vector kernels with parents, too.</summary>
    private const int BatchGroups = 16;

    // The values of finished subtrees, each larger than the next, which are joined only when more input shows that the parent is not the
    // root; then the bytes of a group that is not complete, or is the only one yet.
    private readonly byte[] _stack = new byte[(BaoTree.DepthMax + 2) * ValueLength];
    private readonly ArrayBufferWriter<byte> _pairs = new();
    private byte[] _rest = [];
    private int _restLength;
    private int _depth;
    private ulong _groups;
    private bool _finished;

    /// <summary>Bytes taken so far.</summary>
    public ulong Size => (_groups * GroupLength) + (ulong)_restLength;

    /// <summary>The pairs that became final since they were cleared. The span is valid until the next call.</summary>
    public ReadOnlySpan<byte> FinishedPairs => _pairs.WrittenSpan;

    /// <summary>The hash of content in memory, and its whole outboard as it is stored.</summary>
    public static BlobHash Build(ReadOnlySpan<byte> content, out byte[] outboard)
    {
        var builder = new OutboardBuilder();
        builder.Update(content);
        BlobHash root = builder.Finish();
        outboard = new byte[BaoTree.OutboardLength((ulong)content.Length)];
        ReadOnlySpan<byte> pairs = builder.FinishedPairs;
        foreach (long offset in BaoTree.PairOffsetsAsHashed((ulong)content.Length))
        {
            pairs[..BaoTree.PairLength].CopyTo(outboard.AsSpan((int)offset));
            pairs = pairs[BaoTree.PairLength..];
        }

        return root;
    }

    /// <summary>Takes the next part of the blob, of any length; it is the caller's again on return. 256 KiB at a time are fastest.</summary>
    /// <exception cref="InvalidOperationException">The blob is finished.</exception>
    public void Update(ReadOnlySpan<byte> content)
    {
        if (_finished)
            throw new InvalidOperationException("The blob is finished.");
        while (!content.IsEmpty)
        {
            // The first group is kept back until more comes: if it is the only one, it is the root.
            if (_restLength == GroupLength)
            {
                TakeGroups(_rest);
                _restLength = 0;
            }

            int whole = content.Length / GroupLength;
            if (_restLength == 0 && whole > 0 && (_groups > 0 || content.Length > GroupLength))
            {
                TakeGroups(content[..(whole * GroupLength)]);
                content = content[(whole * GroupLength)..];
                continue;
            }

            if (_rest.Length == 0)
                _rest = new byte[GroupLength];
            int count = Math.Min(content.Length, GroupLength - _restLength);
            content[..count].CopyTo(_rest.AsSpan(_restLength));
            _restLength += count;
            content = content[count..];
        }
    }

    /// <summary>Forgets the pairs that have been given out.</summary>
    public void ClearFinishedPairs() => _pairs.ResetWrittenCount();

    /// <summary>Ends the blob; the last pairs become final.</summary>
    /// <returns>Its hash.</returns>
    public BlobHash Finish()
    {
        if (_finished)
            throw new InvalidOperationException("The blob is finished.");
        _finished = true;
        if (_restLength > 0 || _groups == 0)
        {
            Join();
            ulong firstChunk = _groups * BaoTree.GroupChunks;
            Blake3.HashSubtree(_rest.AsSpan(0, _restLength), firstChunk, isRoot: _groups == 0, Entry(_depth++));
        }

        while (_depth > 1)
            JoinTwo(isRoot: _depth == 2);
        return new BlobHash(Entry(0));
    }

    private Span<byte> Entry(int index) => _stack.AsSpan(index * ValueLength, ValueLength);

    private void TakeGroups(ReadOnlySpan<byte> groups)
    {
        Span<byte> values = stackalloc byte[BatchGroups * ValueLength];
        while (!groups.IsEmpty)
        {
            ReadOnlySpan<byte> batch = groups[..Math.Min(groups.Length, BatchGroups * GroupLength)];
            groups = groups[batch.Length..];
            Blake3.HashSubtrees(batch, GroupLength, _groups * BaoTree.GroupChunks, values);
            for (int i = 0; i < batch.Length / GroupLength; i++)
            {
                Join();
                values.Slice(i * ValueLength, ValueLength).CopyTo(Entry(_depth++));
                _groups++;
            }
        }
    }

    // Called when content comes after all that is on the stack: every two that make a whole subtree are joined. Afterwards there is one
    // entry for each bit of the number of groups.
    private void Join()
    {
        while (_depth > BitOperations.PopCount(_groups))
            JoinTwo(isRoot: false);
    }

    private void JoinTwo(bool isRoot)
    {
        Span<byte> left = Entry(_depth - 2), right = Entry(_depth - 1);
        left.CopyTo(_pairs.GetSpan(BaoTree.PairLength));
        right.CopyTo(_pairs.GetSpan(BaoTree.PairLength)[ValueLength..]);
        _pairs.Advance(BaoTree.PairLength);
        Blake3.CombineSubtrees(left, right, isRoot, left);
        _depth--;
    }
}
