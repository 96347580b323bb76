using System.Buffers;
using Iroh.Blobs.Store.Backends;
using Iroh.Blobs.Store.Entries;

namespace Iroh.Blobs.Store.Imports;

/// <summary>Brings content in whose hash is not known yet: written to files without a name, hashed on the way, then made a blob.</summary>
internal static class Import
{
    /// <summary>Bytes of a read: large enough that calls cost nothing, small enough for many imports at once.</summary>
    private const int BufferLength = 1 << 20;

    /// <summary>Stores content of at most one group.</summary>
    public static async ValueTask<TempTag> AddSmallAsync(BlobStore store, ReadOnlyMemory<byte> content, BlobFormat format)
    {
        BlobHash hash = BlobHash.Of(content.Span);
        TempTag tag = store.Table.Hold(new HashAndFormat(hash, format), content.Length);
        if (content.IsEmpty)
            return tag;
        try
        {
            await PublishAsync(store, hash, content.Length, isCopy: true, () => store.Backend.AddInlineAsync(hash, content)).ConfigureAwait(false);
            return tag;
        }
        catch
        {
            tag.Dispose();
            throw;
        }
    }

    public static async Task<TempTag> AddFileAsync(
        BlobStore store, string path, ImportMode mode, BlobFormat format, Action<long>? progress, CancellationToken cancellationToken)
    {
        var source = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.SequentialScan | FileOptions.Asynchronous);
        await using (source.ConfigureAwait(false))
        {
            long length = source.Length;
            FileReference? reference = mode == ImportMode.Reference && length > BlobStoreOptions.InlineBytesMax
                ? new FileReference(path, File.GetLastWriteTimeUtc(path).Ticks)
                : null;
            TempTag tag = await AddAsync(store, source, length, reference, format, progress, cancellationToken).ConfigureAwait(false);
            if (tag.Size == length && source.Length == length)
                return tag;
            tag.Dispose();
            throw new BlobStoreException($"{path} changed its length while it was read: add it again when nobody writes to it");
        }
    }

    /// <param name="size">What the stream has; null if nobody knows.</param>
    public static Task<TempTag> AddStreamAsync(
        BlobStore store, Stream content, long? size, BlobFormat format, Action<long>? progress, CancellationToken cancellationToken) =>
        AddAsync(store, content, size, null, format, progress, cancellationToken);

    private static async Task<TempTag> AddAsync(
        BlobStore store, Stream source, long? size, FileReference? reference, BlobFormat format, Action<long>? progress,
        CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferLength);
        long taken = 0;
        try
        {
            int first = await source.ReadAtLeastAsync(buffer.AsMemory(0, BufferLength), BufferLength, false, cancellationToken).ConfigureAwait(false);
            if (first <= BlobStoreOptions.InlineBytesMax)
            {
                progress?.Invoke(first);
                return await AddSmallAsync(store, buffer.AsMemory(0, first), format).ConfigureAwait(false);
            }

            if (reference is null && size is { } known && store.Backend.FreeBytes() is var free && known > free)
                throw new StoreFullException($"no room for an import of {known} bytes: {free} are free");
            using IBlobImport import = store.Backend.BeginImport(reference);
            var hashing = new ImportHashing(import, size);
            for (int read = first; read > 0;)
            {
                if (reference is null)
                {
                    store.Space.Take(read, null);
                    taken += read;
                    import.Data.Write(hashing.Size, buffer.AsSpan(0, read));
                }

                hashing.Update(buffer.AsSpan(0, read));
                progress?.Invoke(hashing.Size);
                read = await source.ReadAtLeastAsync(buffer.AsMemory(0, BufferLength), BufferLength, false, cancellationToken).ConfigureAwait(false);
            }

            BlobHash hash = hashing.Finish();
            TempTag tag = store.Table.Hold(new HashAndFormat(hash, format), hashing.Size);
            try
            {
                store.Space.Count(-taken); // from here on the blob counts for itself
                taken = 0;
                await PublishAsync(store, hash, hashing.Size, reference is null, () => import.PublishAsync(hash, hashing.Size)).ConfigureAwait(false);
                return tag;
            }
            catch
            {
                tag.Dispose();
                throw;
            }
        }
        finally
        {
            store.Space.Count(-taken);
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // Makes the blob known, unless it is here already. A copy replaces a reference: the store's own file will not change.
    private static async Task PublishAsync(BlobStore store, BlobHash hash, long size, bool isCopy, Func<ValueTask<StoredBlob>> publish)
    {
        Entry entry = store.Table.Use(hash);
        try
        {
            await entry.Gate.WaitAsync(CancellationToken.None).ConfigureAwait(false);
            try
            {
                if (entry.Presence == BlobPresence.Complete && !(isCopy && entry.Stored?.Reference is not null))
                    return;

                // Refused here, counted when it is complete.
                long more = isCopy ? size - entry.Charged : 0;
                store.Space.Take(more, hash);
                store.Space.Count(-more);
                StoredBlob blob = await publish().ConfigureAwait(false);
                lock (entry.Lock)
                    entry.Files = null; // whoever had a partial one open keeps that
                store.BecomeComplete(entry, blob);
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

    /// <summary>Content in memory, read once.</summary>
    internal sealed class MemorySource(ReadOnlyMemory<byte> content) : Stream
    {
        private ReadOnlyMemory<byte> _rest = content;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            int count = Math.Min(buffer.Length, _rest.Length);
            _rest.Span[..count].CopyTo(buffer);
            _rest = _rest[count..];
            return count;
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            cancellationToken.IsCancellationRequested ? ValueTask.FromCanceled<int>(cancellationToken) : ValueTask.FromResult(Read(buffer.Span));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
