using System.Buffers;
using Iroh.Blobs.Bao;
using Iroh.Blobs.Store.Backends;
using Iroh.Blobs.Store.Entries;

namespace Iroh.Blobs.Store.Contents;

/// <summary>Makes the outboard of a complete blob again out of its content.</summary>
internal static class OutboardRepair
{
    private const int BufferLength = 256 * 1024;

    /// <summary>Reads the content twice: once to see that it is right, once to write the pairs, each of which is then right whenever the
    /// process dies.</summary>
    /// <returns>Whether the outboard is right now; false if the content is not, or the blob is no longer complete.</returns>
    public static async Task<bool> TryAsync(BlobStore store, Entry entry, OpenBlob files, CancellationToken cancellationToken)
    {
        await entry.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (entry.Files != files || entry.Stored is not { } stored || files.Outboard is null)
                return false;
            if (!await Task.Run(() => TryMake(entry.Hash, entry.Size, files, cancellationToken), cancellationToken).ConfigureAwait(false))
                return false;
            await store.Backend.SaveOutboardAsync(entry.Hash, stored, files).ConfigureAwait(false);
            return true;
        }
        finally
        {
            entry.Gate.Release();
        }
    }

    /// <summary>The same for files that are nobody's yet.</summary>
    /// <returns>Whether the content has this hash; its outboard is right then.</returns>
    public static bool TryMake(BlobHash hash, ulong size, OpenBlob files, CancellationToken cancellationToken = default)
    {
        if (Hash(size, files.Data, null, cancellationToken) != hash)
            return false;
        Hash(size, files.Data, files.Outboard, cancellationToken);
        return true;
    }

    private static BlobHash Hash(ulong size, IBlobFile data, IBlobFile? outboard, CancellationToken cancellationToken)
    {
        var builder = new OutboardBuilder();
        using IEnumerator<long> places = BaoTree.PairOffsetsAsHashed(size).GetEnumerator();
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferLength);
        try
        {
            long offset = 0;
            int read;
            while ((read = data.Read(offset, buffer.AsSpan(0, BufferLength))) > 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
                builder.Update(buffer.AsSpan(0, read));
                offset += read;
                Place(builder, places, outboard);
            }

            BlobHash hash = builder.Finish();
            Place(builder, places, outboard);
            return hash;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static void Place(OutboardBuilder builder, IEnumerator<long> places, IBlobFile? outboard)
    {
        for (ReadOnlySpan<byte> pairs = builder.FinishedPairs; outboard is not null && !pairs.IsEmpty && places.MoveNext(); pairs = pairs[BaoTree.PairLength..])
            outboard.Write(places.Current, pairs[..BaoTree.PairLength]);
        builder.ClearFinishedPairs();
    }
}
