using System.Numerics;
using Iroh.Blobs;
using Iroh.Cryptography;

namespace Blixard.Images.Blobs;

/// <summary>
/// Chunk groups: the aligned subtrees of a blob's BLAKE3 tree that are fetched, checked and written as one. The values of all groups
/// together (the group list) combine to the blob's hash, so a list is checked once and then each group on its own, as it comes.
/// </summary>
public static class ChunkGroups
{
    /// <summary>
    /// Bytes of a group: 1 MiB, 1024 chunks. What a peer can make a node hold before it is found out, and what a broken link costs to
    /// fetch again; smaller groups would make the list of a large disk longer than a message (256 GiB: 8 MiB of list).
    /// </summary>
    public const int GroupLength = 1 << 20;

    /// <summary>The largest blob in bytes, 256 GiB: its group list (8 MiB) is what a fetch holds in memory.</summary>
    public const long BlobSizeMax = 1L << 38;

    private const int ChunksPerGroup = GroupLength / Blake3.ChunkLength;

    /// <summary>How many groups a blob of <paramref name="size"/> bytes has; at least one.</summary>
    public static int Count(long size)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, BlobSizeMax);
        return (int)Math.Max(1, (size + GroupLength - 1) / GroupLength);
    }

    /// <summary>Bytes of the group at <paramref name="index"/>: <see cref="GroupLength"/>, less in the last.</summary>
    public static int LengthAt(long size, int index) => (int)Math.Min(GroupLength, size - OffsetOf(index));

    /// <summary>Where the group at <paramref name="index"/> begins.</summary>
    public static long OffsetOf(int index) => (long)index * GroupLength;

    /// <summary>The value of a group from its content.</summary>
    /// <param name="data">All of the group.</param>
    /// <param name="index">Which group of the blob it is.</param>
    /// <param name="isOnly">Whether it is all of the blob; then the value is the blob's hash.</param>
    public static BlobHash Hash(ReadOnlySpan<byte> data, int index, bool isOnly)
    {
        Span<byte> value = stackalloc byte[Blake3.HashLength];
        Blake3.HashSubtree(data, (ulong)index * ChunksPerGroup, isOnly, value);
        return new BlobHash(value);
    }

    /// <summary>The hash of the blob whose group list this is.</summary>
    /// <param name="list">The values of all groups in order, at least one, without gaps.</param>
    public static BlobHash Combine(ReadOnlySpan<byte> list)
    {
        ArgumentOutOfRangeException.ThrowIfZero(list.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(list.Length % BlobHash.Length, 0);
        Span<byte> root = stackalloc byte[Blake3.HashLength];
        Combine(list, isRoot: true, root);
        return new BlobHash(root);
    }

    // §2.1 of the BLAKE3 paper: the left subtree has the largest power of two that leaves something for the right. The depth is at most 18.
    private static void Combine(ReadOnlySpan<byte> list, bool isRoot, Span<byte> destination)
    {
        int count = list.Length / Blake3.HashLength;
        if (count == 1)
        {
            list.CopyTo(destination);
            return;
        }

        int left = (int)(BitOperations.RoundUpToPowerOf2((uint)count) / 2) * Blake3.HashLength;
        Span<byte> halves = stackalloc byte[2 * Blake3.HashLength];
        Combine(list[..left], isRoot: false, halves[..Blake3.HashLength]);
        Combine(list[left..], isRoot: false, halves[Blake3.HashLength..]);
        Blake3.CombineSubtrees(halves[..Blake3.HashLength], halves[Blake3.HashLength..], isRoot, destination);
    }
}
