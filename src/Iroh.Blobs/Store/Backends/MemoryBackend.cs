using System.Collections.Concurrent;
using Iroh.Blobs.Ranges;

namespace Iroh.Blobs.Store.Backends;

/// <summary>Keeps everything in memory, for as long as the store lives.</summary>
internal sealed class MemoryBackend : IBlobBackend
{
    private readonly ConcurrentDictionary<BlobHash, Files> _files = new();

    public IEnumerable<(BlobHash Hash, StoredBlob Blob)> LoadBlobs() => [];

    public IEnumerable<StoredPartial> LoadPartials() => [];

    public IEnumerable<BlobTag> LoadTags() => [];

    public long FreeBytes() => long.MaxValue;

    public OpenBlob Open(BlobHash hash, StoredBlob blob)
    {
        if (blob.Reference is not { } reference)
            return _files[hash].Open();
        return new OpenBlob(DiskBlobFile.OpenReference(hash, reference, blob.Size), _files[hash].Outboard);
    }

    public OpenBlob OpenPartial(BlobHash hash, ulong size) =>
        _files.GetOrAdd(hash, static _ => new Files(new MemoryBlobFile(), new MemoryBlobFile())).Open();

    public OpenBlob? TryOpenPartial(BlobHash hash, out ulong size)
    {
        size = 0;
        return null; // nothing outlives the store
    }

    public void MarkDirty(BlobHash hash)
    {
    }

    public void RecordPartial(BlobHash hash, ulong size, ChunkRanges present, bool isClean)
    {
    }

    public ValueTask<StoredBlob> CompletePartialAsync(BlobHash hash, long size, OpenBlob files) =>
        ValueTask.FromResult(new StoredBlob(size, ContentPlace.Inline, OutboardPlace.Inline, null));

    public ValueTask<bool> DemoteAsync(BlobHash hash, StoredBlob blob, OpenBlob files, ChunkRanges present)
    {
        if (blob.Reference is null && blob.Outboard != OutboardPlace.None)
            return ValueTask.FromResult(true);
        _files.TryRemove(hash, out _);
        return ValueTask.FromResult(false);
    }

    public void RemovePartial(BlobHash hash) => _files.TryRemove(hash, out _);

    public void TidyCompleted(BlobHash hash, StoredBlob blob)
    {
    }

    public ValueTask RemoveAsync(BlobHash hash, StoredBlob blob)
    {
        _files.TryRemove(hash, out _);
        return ValueTask.CompletedTask;
    }

    public ValueTask<StoredBlob> AddInlineAsync(BlobHash hash, ReadOnlyMemory<byte> content)
    {
        _files[hash] = new Files(new MemoryBlobFile(content.Span), null);
        return ValueTask.FromResult(new StoredBlob(content.Length, ContentPlace.Inline, OutboardPlace.None, null));
    }

    public IBlobImport BeginImport(FileReference? reference) => new MemoryImport(this, reference);

    public ValueTask SaveOutboardAsync(BlobHash hash, StoredBlob blob, OpenBlob files) => ValueTask.CompletedTask;

    public ValueTask<StoredBlob?> TryMoveOutAsync(BlobHash hash, StoredBlob blob, string path) => ValueTask.FromResult<StoredBlob?>(null);

    public void WriteTags(IReadOnlyList<(string Name, HashAndFormat? Content)> changes)
    {
    }

    public IReadOnlyList<(string Path, BlobHash? Hash)> ListFiles() => [];

    public bool Owns(string path, BlobHash hash, bool isPartial, StoredBlob? stored) => false;

    public void RemoveOrphan(string path)
    {
    }

    public void Dispose() => _files.Clear();

    private sealed record Files(IBlobFile Data, IBlobFile? Outboard)
    {
        public OpenBlob Open() => new(Data, Outboard);
    }

    private sealed class MemoryImport(MemoryBackend backend, FileReference? reference) : IBlobImport
    {
        public IBlobFile Data { get; } = new MemoryBlobFile();

        public IBlobFile Outboard { get; } = new MemoryBlobFile();

        public IBlobFile Pairs { get; } = new MemoryBlobFile();

        public ValueTask<StoredBlob> PublishAsync(BlobHash hash, long size)
        {
            backend._files[hash] = new Files(Data, Outboard);
            ContentPlace place = reference is null ? ContentPlace.Inline : ContentPlace.Reference;
            return ValueTask.FromResult(new StoredBlob(size, place, OutboardPlace.Inline, reference));
        }

        public void Dispose()
        {
        }
    }
}
