using Iroh.Cryptography;

namespace Iroh.Blobs.Bao;

/// <summary>
/// The chaining values that the items to come must have: a stack that begins with the root hash and to which every verified pair adds
/// its halves. It is as deep as the tree at most, whatever size is claimed.
/// </summary>
internal sealed class ExpectedValues
{
    private const int ValueLength = Blake3.HashLength;

    private readonly byte[] _stack = new byte[(BaoTree.DepthMax + 2) * ValueLength];
    private int _depth = 1;

    public ExpectedValues(BlobHash root) => root.CopyTo(_stack);

    /// <summary>Takes a pair if it has the value that is due, and then expects those of its halves that follow.</summary>
    public bool TryTakePair(in BaoItem item, ReadOnlySpan<byte> pair)
    {
        Span<byte> value = stackalloc byte[ValueLength];
        ReadOnlySpan<byte> left = pair[..ValueLength], right = pair[ValueLength..];
        Blake3.CombineSubtrees(left, right, item.IsRoot, value);
        if (!TryPop(value))
            return false;
        if (item.HasRight)
            Push(right);
        if (item.HasLeft)
            Push(left);
        return true;
    }

    /// <summary>Takes the content of a subtree if it has the value that is due.</summary>
    public bool TryTakeContent(ulong firstChunk, bool isRoot, ReadOnlySpan<byte> content)
    {
        Span<byte> value = stackalloc byte[ValueLength];
        Blake3.HashSubtree(content, firstChunk, isRoot, value);
        return TryPop(value);
    }

    /// <summary>Passes over content that was proven elsewhere.</summary>
    public void Skip() => _depth--;

    private bool TryPop(ReadOnlySpan<byte> value)
    {
        if (!value.SequenceEqual(_stack.AsSpan((_depth - 1) * ValueLength, ValueLength)))
            return false;
        _depth--;
        return true;
    }

    private void Push(ReadOnlySpan<byte> value) => value.CopyTo(_stack.AsSpan(_depth++ * ValueLength));
}
