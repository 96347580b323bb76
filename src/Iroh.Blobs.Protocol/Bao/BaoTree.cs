using System.Buffers.Binary;
using System.Numerics;
using Iroh.Cryptography;

namespace Iroh.Blobs.Bao;

/// <summary>
/// The shape of a blob's hash tree as iroh cuts it: chunks of 1 KiB are what BLAKE3 hashes and what ranges count, groups of 16 chunks
/// are the leaves of what is stored. The outboard holds one pair of chaining values for every subtree larger than a group, a pair before
/// what is below it, left before right. Sizes are in bytes.
/// </summary>
public static class BaoTree
{
    /// <summary>Bytes of a chunk.</summary>
    public const int ChunkLength = Blake3.ChunkLength;

    /// <summary>Chunks of a group.</summary>
    public const int GroupChunks = 16;

    /// <summary>Bytes of a group.</summary>
    public const int GroupLength = GroupChunks * ChunkLength;

    /// <summary>Bytes of a pair: the chaining values of the left and of the right half of a subtree.</summary>
    public const int PairLength = 2 * BlobHash.Length;

    /// <summary>Bytes of the size that goes before a blob in a stream.</summary>
    public const int SizeHeaderLength = 8;

    /// <summary>The largest blob: offsets of files and streams are signed.</summary>
    public const ulong SizeMax = long.MaxValue;

    /// <summary>The most pairs on the way from the root to a chunk, whatever size is claimed: 2^64 bytes are 2^54 chunks.</summary>
    public const int DepthMax = 54;

    /// <summary>Chunks of a blob; the empty blob has one, which is empty.</summary>
    public static ulong ChunkCount(ulong size) => LastChunk(size) + 1;

    /// <summary>The index of a blob's last chunk.</summary>
    public static ulong LastChunk(ulong size) => size == 0 ? 0 : (size - 1) / ChunkLength;

    /// <summary>Groups of a blob; the empty blob has one.</summary>
    public static ulong GroupCount(ulong size) => size == 0 ? 1 : ((size - 1) / GroupLength) + 1;

    /// <summary>Bytes of the group that begins at an offset, which is a multiple of <see cref="GroupLength"/> within the blob.</summary>
    public static int GroupLengthAt(ulong size, long groupOffset) => (int)Math.Min(GroupLength, size - (ulong)groupOffset);

    /// <summary>Bytes of a blob's outboard: none for a blob of one group.</summary>
    public static long OutboardLength(ulong size) => (long)((GroupCount(size) - 1) * PairLength);

    /// <summary>
    /// Chunks or groups in the left half of a subtree of more than one: the largest power of two that leaves something for the right.
    /// </summary>
    public static ulong LeftCount(ulong count) => 1UL << (63 - BitOperations.LeadingZeroCount(count - 1));

    /// <summary>Writes the size as it goes before a blob in a stream: <see cref="SizeHeaderLength"/> bytes.</summary>
    public static void WriteSize(Span<byte> destination, ulong size) => BinaryPrimitives.WriteUInt64LittleEndian(destination, size);

    /// <summary>Reads the size that goes before a blob in a stream: the sender's claim, any number.</summary>
    /// <param name="bytes">At least <see cref="SizeHeaderLength"/> bytes.</param>
    public static ulong ReadSize(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt64LittleEndian(bytes);

    /// <summary>
    /// Where in the outboard each pair of a blob belongs, in the order in which they become known while the blob is hashed from its
    /// beginning (a pair after both its halves): <see cref="OutboardLength"/> / <see cref="PairLength"/> offsets.
    /// </summary>
    /// <param name="size">The size of the blob.</param>
    public static IEnumerable<long> PairOffsetsAsHashed(ulong size)
    {
        // A subtree is visited twice: first its halves are put on the stack above it, then it is reported.
        var stack = new Stack<(ulong Groups, long Offset, bool HalvesDone)>();
        stack.Push((GroupCount(size), 0, false));
        while (stack.TryPop(out (ulong Groups, long Offset, bool HalvesDone) node))
        {
            if (node.Groups == 1)
                continue;
            if (node.HalvesDone)
            {
                yield return node.Offset;
                continue;
            }

            ulong left = LeftCount(node.Groups);
            stack.Push(node with { HalvesDone = true });
            stack.Push((node.Groups - left, node.Offset + (long)(left * PairLength), false));
            stack.Push((left, node.Offset + PairLength, false));
        }
    }
}
