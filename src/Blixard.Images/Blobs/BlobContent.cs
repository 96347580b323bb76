using System.Buffers;
using Iroh.Blobs;
using Microsoft.Win32.SafeHandles;

namespace Blixard.Images.Blobs;

/// <summary>Reads content from files, one group in memory at a time.</summary>
internal static class BlobContent
{
    /// <summary>The hash of the blob whose group list this is; the value of an only group is the hash itself.</summary>
    public static BlobHash RootOf(byte[] list) => list.Length == BlobHash.Length ? new BlobHash(list) : ChunkGroups.Combine(list);

    /// <summary>Copies a file of a known size, one group at a time, and makes its group list.</summary>
    /// <returns>The content's hash.</returns>
    public static async Task<BlobHash> CopyAsync(
        SafeFileHandle source, long size, string path, SafeFileHandle copy, byte[] list, Action<long>? progress,
        CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ChunkGroups.GroupLength);
        try
        {
            for (int i = 0; i < ChunkGroups.Count(size); i++)
            {
                long offset = ChunkGroups.OffsetOf(i);
                Memory<byte> group = buffer.AsMemory(0, ChunkGroups.LengthAt(size, i));
                if (await ReadFullAsync(source, group, offset, cancellationToken).ConfigureAwait(false) != group.Length)
                    throw new IOException($"{path} became shorter while it was copied");
                ChunkGroups.Hash(group.Span, i, isOnly: size <= ChunkGroups.GroupLength).CopyTo(list.AsSpan(i * BlobHash.Length));
                await RandomAccess.WriteAsync(copy, group, offset, cancellationToken).ConfigureAwait(false);
                progress?.Invoke(offset + group.Length);
            }

            // What was read hangs together only if nothing was appended meanwhile either.
            if (RandomAccess.GetLength(source) != size)
                throw new IOException($"{path} changed its length while it was copied");
            return RootOf(list);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>The group list of a file's content.</summary>
    public static async Task<byte[]> HashAsync(SafeFileHandle file, long size, CancellationToken cancellationToken)
    {
        var list = new byte[ChunkGroups.Count(size) * BlobHash.Length];
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ChunkGroups.GroupLength);
        try
        {
            for (int i = 0; i < ChunkGroups.Count(size); i++)
            {
                Memory<byte> group = buffer.AsMemory(0, ChunkGroups.LengthAt(size, i));
                int count = await ReadFullAsync(file, group, ChunkGroups.OffsetOf(i), cancellationToken).ConfigureAwait(false);
                ChunkGroups.Hash(group.Span[..count], i, isOnly: size <= ChunkGroups.GroupLength).CopyTo(list.AsSpan(i * BlobHash.Length));
            }
            return list;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Reads until the destination is full or the file ends.</summary>
    public static async Task<int> ReadFullAsync(
        SafeFileHandle file, Memory<byte> destination, long offset, CancellationToken cancellationToken)
    {
        int total = 0;
        while (total < destination.Length)
        {
            int count = await RandomAccess.ReadAsync(file, destination[total..], offset + total, cancellationToken).ConfigureAwait(false);
            if (count == 0)
                break;
            total += count;
        }
        return total;
    }
}
