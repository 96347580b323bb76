using System.Buffers;
using Iroh.Blobs.Store.Backends;
using Microsoft.Win32.SafeHandles;

namespace Iroh.Blobs.Store.Imports;

/// <summary>Writes a blob to a file, under another name until it is whole.</summary>
internal static class Export
{
    private const int BufferLength = 1 << 20;

    public static async Task RunAsync(
        BlobStore store, BlobHash hash, string path, ExportMode mode, Action<long>? progress, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path) ?? throw new ArgumentException($"{path} is no file", nameof(path)));
        if (mode == ExportMode.Reference && await TryMoveOutAsync(store, hash, path, cancellationToken).ConfigureAwait(false))
        {
            progress?.Invoke(store.GetStatus(hash).PresentBytes);
            return;
        }

        using IBlobContent content = store.TryOpen(hash) ?? throw new BlobMissingException(hash, "it is not in this store");
        if (!content.Bitfield.IsComplete)
            throw new BlobMissingException(hash, $"{store.GetStatus(hash).PresentBytes} bytes of it are in this store, and not all");
        string temporary = $"{path}.{Path.GetRandomFileName()}";
        try
        {
            await CopyAsync(content, temporary, store.Options.FlushesToDisk, progress, cancellationToken).ConfigureAwait(false);
            File.Move(temporary, path, overwrite: true);
        }
        catch (IOException e) when (DiskErrors.IsFull(e))
        {
            throw new StoreFullException($"no room for {path} ({content.Size} bytes): its disk is full", e);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private static async Task CopyAsync(IBlobContent content, string path, bool flush, Action<long>? progress, CancellationToken cancellationToken)
    {
        using SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferLength);
        try
        {
            for (long offset = 0; offset < content.Size;)
            {
                int read = await content.ReadAsync(offset, buffer.AsMemory(0, BufferLength), cancellationToken).ConfigureAwait(false);
                RandomAccess.Write(file, buffer.AsSpan(0, read), offset);
                offset += read;
                progress?.Invoke(offset);
            }

            if (flush)
                RandomAccess.FlushToDisk(file);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // What is moved out was checked once, when it came; whoever reads it there reads it at his own risk, or through the store.
    private static async Task<bool> TryMoveOutAsync(BlobStore store, BlobHash hash, string path, CancellationToken cancellationToken)
    {
        if (store.Table.TryUse(hash) is not { } entry)
            return false;
        try
        {
            await entry.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                if (entry.Stored is not { Content: ContentPlace.Owned } stored
                    || await store.Backend.TryMoveOutAsync(hash, stored, path).ConfigureAwait(false) is not { } moved)
                    return false;
                lock (entry.Lock)
                    entry.Files = null; // the file that others have open is the same one
                store.BecomeComplete(entry, moved);
                return true;
            }
            finally
            {
                entry.Gate.Release();
            }
        }
        finally
        {
            store.Table.Release(entry);
        }
    }
}
