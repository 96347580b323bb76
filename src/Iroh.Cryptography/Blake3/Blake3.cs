using System.Numerics;

namespace Iroh.Cryptography;

/// <summary>
/// The BLAKE3 hash function (github.com/BLAKE3-team/BLAKE3-specs, section numbers below refer to it): hashes of whole inputs, and the
/// values of single subtrees that verified streaming needs. Thread-safe. <see cref="Blake3Hasher"/> takes its input in parts.
/// </summary>
public static class Blake3
{
    /// <summary>Bytes of a hash, and of the chaining value of a subtree.</summary>
    public const int HashLength = 32;

    /// <summary>Bytes of a key.</summary>
    public const int KeyLength = 32;

    /// <summary>Bytes of a chunk, the leaf of the tree (§2.1).</summary>
    public const int ChunkLength = 1024;

    /// <summary>Bytes that a thread takes at a time: much longer than it takes to hand them over, much less than inputs worth the while.</summary>
    private const int ParallelLength = 1024 * ChunkLength;

    /// <summary>Hashes <paramref name="data"/>.</summary>
    /// <param name="data">Any length.</param>
    /// <param name="destination">At least <see cref="HashLength"/> bytes; the hash goes to its front.</param>
    public static void Hash(ReadOnlySpan<byte> data, Span<byte> destination) => HashSubtree(data, 0, isRoot: true, destination);

    /// <summary>Hashes <paramref name="data"/> on several threads; worth it from some megabytes on.</summary>
    /// <param name="data">Any length.</param>
    /// <param name="threads">The most threads at a time, this one among them; at least 1.</param>
    /// <param name="destination">At least <see cref="HashLength"/> bytes; the hash goes to its front.</param>
    public static void HashParallel(ReadOnlyMemory<byte> data, int threads, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(threads);
        ArgumentOutOfRangeException.ThrowIfLessThan(destination.Length, HashLength);
        if (threads == 1 || data.Length <= ParallelLength)
        {
            Hash(data.Span, destination);
            return;
        }

        int count = ((data.Length - 1) / ParallelLength) + 1;
        var values = new byte[count * HashLength];
        Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = threads }, i =>
        {
            int start = i * ParallelLength;
            ReadOnlySpan<byte> part = data.Span.Slice(start, Math.Min(ParallelLength, data.Length - start));
            HashSubtree(part, (ulong)(start / ChunkLength), isRoot: false, values.AsSpan(i * HashLength));
        });
        Blake3Tree.CombineEqualSubtrees(values, isRoot: true, destination);
    }

    /// <summary>
    /// The chaining value of a subtree, computed from its content. A subtree begins at a multiple of its size in chunks, which is a power
    /// of two; the last one of an input may be shorter.
    /// </summary>
    /// <param name="data">The content: 1024 · 2^k bytes, or up to that much if it is the end of the input; empty only if that is all.</param>
    /// <param name="firstChunk">The index of its first chunk in the whole input.</param>
    /// <param name="isRoot">Whether this is the whole input; then the value is its hash.</param>
    /// <param name="destination">At least <see cref="HashLength"/> bytes.</param>
    public static void HashSubtree(ReadOnlySpan<byte> data, ulong firstChunk, bool isRoot, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(destination.Length, HashLength);
        Blake3Tree.SubtreeNode(data, firstChunk, Blake3Compression.InitialValue, Blake3Flags.None, out Blake3Node node);
        node.WriteHash(isRoot, destination);
    }

    /// <summary>
    /// The chaining values of neighbouring subtrees of equal size, none of which is the whole input: the same as of one after the other,
    /// but faster, as their inner nodes fill the lanes of the vector kernels together.
    /// </summary>
    /// <param name="data">The content: whole subtrees, one after the other.</param>
    /// <param name="subtreeLength">Bytes of a subtree: 1024 · 2^k.</param>
    /// <param name="firstChunk">The index of the first chunk in the whole input, a multiple of the chunks of a subtree.</param>
    /// <param name="destination">Room for <see cref="HashLength"/> bytes for each subtree.</param>
    public static void HashSubtrees(ReadOnlySpan<byte> data, int subtreeLength, ulong firstChunk, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(subtreeLength, ChunkLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(BitOperations.IsPow2(subtreeLength), true, nameof(subtreeLength));
        ArgumentOutOfRangeException.ThrowIfNotEqual(data.Length % subtreeLength, 0, nameof(data));
        ArgumentOutOfRangeException.ThrowIfLessThan(destination.Length, data.Length / subtreeLength * HashLength);
        Blake3Tree.SubtreeValues(data, subtreeLength, firstChunk, Blake3Compression.InitialValue, Blake3Flags.None, destination);
    }

    /// <summary>The chaining value of a subtree from those of its two halves (§2.4).</summary>
    /// <param name="left">The first half's value, <see cref="HashLength"/> bytes.</param>
    /// <param name="right">The second half's value, <see cref="HashLength"/> bytes.</param>
    /// <param name="isRoot">Whether the two make the whole input; then the value is its hash.</param>
    /// <param name="destination">At least <see cref="HashLength"/> bytes; may overlap the halves.</param>
    public static void CombineSubtrees(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right, bool isRoot, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(left.Length, HashLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(right.Length, HashLength);
        ArgumentOutOfRangeException.ThrowIfLessThan(destination.Length, HashLength);
        Blake3Node.Parent(left, right, Blake3Compression.InitialValue, Blake3Flags.None, out Blake3Node node);
        node.WriteHash(isRoot, destination);
    }
}
