using System.Numerics;

namespace Iroh.Cryptography;

/// <summary>
/// Computes subtrees from their content. Chunks and parents are compressed in batches, so that the vector kernels have all their lanes
/// filled, from the leaves up.
/// </summary>
internal static class Blake3Tree
{
    private const int ChunkLength = Blake3.ChunkLength;
    private const int ValueWords = Blake3Compression.ValueWords;

    /// <summary>Chunks or parents of a batch: the lanes of the widest kernel.</summary>
    private const int BatchMax = 16;

    /// <summary>
    /// Bytes of the neighbouring subtrees that are computed together: sixteen groups of sixteen chunks have full lanes up to their tops.
    /// </summary>
    private const int NeighboursMax = BatchMax * BatchMax * ChunkLength;

    /// <summary>The node at the top of a subtree.</summary>
    /// <param name="data">The content, as <see cref="Blake3.HashSubtree"/> describes it.</param>
    /// <param name="firstChunk">The index of its first chunk.</param>
    /// <param name="key">The key or initial value, 8 words.</param>
    /// <param name="flags">The flags of the mode.</param>
    /// <param name="node">The node, not yet compressed, as only its owner knows whether it is the root.</param>
    public static void SubtreeNode(
        ReadOnlySpan<byte> data, ulong firstChunk, ReadOnlySpan<uint> key, Blake3Flags flags, out Blake3Node node)
    {
        if (data.Length <= ChunkLength)
        {
            ChunkNode(data, firstChunk, key, flags, out node);
            return;
        }

        Span<uint> values = stackalloc uint[BatchMax * ValueWords];
        int count = Batch(data, firstChunk, key, flags, values);
        while (count > 2)
            count = Parents(values, count, key, flags, values);
        Blake3Node.Parent(values[..ValueWords], values.Slice(ValueWords, ValueWords), key, flags, out node);
    }

    /// <summary>The chaining values of the two halves of a subtree of at least two chunks, 8 words each.</summary>
    public static void SubtreeHalves(
        ReadOnlySpan<byte> data, ulong firstChunk, ReadOnlySpan<uint> key, Blake3Flags flags, Span<uint> halves)
    {
        Span<uint> values = stackalloc uint[BatchMax * ValueWords];
        int count = Batch(data, firstChunk, key, flags, values);
        while (count > 2)
            count = Parents(values, count, key, flags, values);
        values[..(2 * ValueWords)].CopyTo(halves);
    }

    /// <summary>The chaining values of neighbouring subtrees of equal size, as bytes.</summary>
    public static void SubtreeValues(
        ReadOnlySpan<byte> data, int subtreeLength, ulong firstChunk, ReadOnlySpan<uint> key, Blake3Flags flags, Span<byte> destination)
    {
        Span<uint> values = stackalloc uint[NeighboursMax / ChunkLength * ValueWords];
        while (!data.IsEmpty)
        {
            int length = subtreeLength;
            int count = 1;
            if (subtreeLength <= NeighboursMax)
            {
                count = Math.Min(data.Length, NeighboursMax) / subtreeLength;
                length = count * subtreeLength;
                int nodes = Chunks(data[..length], firstChunk, key, flags, values);
                while (nodes > count)
                    nodes = Parents(values, nodes, key, flags, values);
            }
            else
            {
                SubtreeNode(data[..length], firstChunk, key, flags, out Blake3Node node);
                node.ChainingValue(values);
            }

            Blake3Node.WriteWords(values[..(count * ValueWords)], destination);
            data = data[length..];
            destination = destination[(count * Blake3.HashLength)..];
            firstChunk += (uint)(length / ChunkLength);
        }
    }

    /// <summary>The value above neighbouring subtrees of equal size, of which the last one may be smaller: their values as bytes.</summary>
    public static void CombineEqualSubtrees(ReadOnlySpan<byte> values, bool isRoot, Span<byte> destination)
    {
        int count = values.Length / Blake3.HashLength;
        if (count == 1)
        {
            values.CopyTo(destination);
            return;
        }

        int left = (int)BitOperations.RoundUpToPowerOf2((uint)count) / 2 * Blake3.HashLength;
        Span<byte> both = stackalloc byte[2 * Blake3.HashLength];
        CombineEqualSubtrees(values[..left], isRoot: false, both);
        CombineEqualSubtrees(values[left..], isRoot: false, both[Blake3.HashLength..]);
        Blake3.CombineSubtrees(both[..Blake3.HashLength], both[Blake3.HashLength..], isRoot, destination);
    }

    // The values of 2 to 16 neighbouring subtrees, of equal size but for the last, that make up the data of more than one chunk.
    // Recursion halves the data, so its depth is at most 17, each with a kilobyte on the stack.
    private static int Batch(
        ReadOnlySpan<byte> data, ulong firstChunk, ReadOnlySpan<uint> key, Blake3Flags flags, Span<uint> values)
    {
        if (data.Length <= BatchMax * ChunkLength)
            return Chunks(data, firstChunk, key, flags, values);

        // §2.1: the left half is the largest power of two of chunks that leaves something for the right.
        int leftChunks = (int)(BitOperations.RoundUpToPowerOf2(((uint)data.Length + ChunkLength - 1) / ChunkLength) / 2);
        int leftLength = leftChunks * ChunkLength;
        Span<uint> both = stackalloc uint[2 * BatchMax * ValueWords];
        int left = Batch(data[..leftLength], firstChunk, key, flags, both);
        ReadOnlySpan<byte> rest = data[leftLength..];
        int right = 1;
        if (rest.Length > ChunkLength)
            right = Batch(rest, firstChunk + (uint)leftChunks, key, flags, both[(left * ValueWords)..]);
        else
            Chunks(rest, firstChunk + (uint)leftChunks, key, flags, both[(left * ValueWords)..]);
        return Parents(both, left + right, key, flags, values);
    }

    private static int Chunks(
        ReadOnlySpan<byte> data, ulong firstChunk, ReadOnlySpan<uint> key, Blake3Flags flags, Span<uint> values)
    {
        int whole = data.Length / ChunkLength;
        Blake3Kernel.HashMany(
            data, ChunkLength, whole, key, firstChunk, countsUp: true, flags,
            flags | Blake3Flags.ChunkStart, flags | Blake3Flags.ChunkEnd, values);
        if (whole * ChunkLength == data.Length)
            return whole;
        ChunkNode(data[(whole * ChunkLength)..], firstChunk + (uint)whole, key, flags, out Blake3Node node);
        node.ChainingValue(values[(whole * ValueWords)..]);
        return whole + 1;
    }

    // Joins neighbours; one that is left over goes up as it is. The parents may go where the children are: they are fewer.
    private static int Parents(ReadOnlySpan<uint> children, int count, ReadOnlySpan<uint> key, Blake3Flags flags, Span<uint> parents)
    {
        int pairs = count / 2;
        Blake3Kernel.HashParents(children, pairs, key, flags | Blake3Flags.Parent, parents);
        if (count % 2 == 0)
            return pairs;
        children.Slice((count - 1) * ValueWords, ValueWords).CopyTo(parents[(pairs * ValueWords)..]);
        return pairs + 1;
    }

    private static void ChunkNode(
        ReadOnlySpan<byte> data, ulong chunk, ReadOnlySpan<uint> key, Blake3Flags flags, out Blake3Node node)
    {
        Blake3Node.Words8 value = default;
        Blake3Node.Words16 block = default;
        key.CopyTo(value);
        Blake3Flags start = Blake3Flags.ChunkStart;
        while (data.Length > Blake3Compression.BlockLength)
        {
            Blake3Node.ReadWords(data[..Blake3Compression.BlockLength], block);
            Blake3Compression.Compress(value, block, chunk, Blake3Compression.BlockLength, flags | start, value);
            start = Blake3Flags.None;
            data = data[Blake3Compression.BlockLength..];
        }

        Blake3Node.LastBlock(value, data, chunk, flags | start | Blake3Flags.ChunkEnd, out node);
    }
}
