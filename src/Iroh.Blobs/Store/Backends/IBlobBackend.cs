using Iroh.Blobs.Ranges;

namespace Iroh.Blobs.Store.Backends;

/// <summary>
/// Where a store keeps things. Knows nothing of who uses them: the store calls it for one blob at a time from one place (under the gate of
/// the blob's entry), for different blobs from several. Tags are written by one caller at a time.
/// </summary>
internal interface IBlobBackend : IDisposable
{
    /// <summary>The complete blobs. Called once, first.</summary>
    IEnumerable<(BlobHash Hash, StoredBlob Blob)> LoadBlobs();

    /// <summary>The partial blobs.</summary>
    IEnumerable<StoredPartial> LoadPartials();

    /// <summary>The tags.</summary>
    IEnumerable<BlobTag> LoadTags();

    /// <summary>Bytes that may still be written; <see cref="long.MaxValue"/> if nobody knows.</summary>
    long FreeBytes();

    /// <summary>Opens a complete blob.</summary>
    /// <exception cref="BlobDamagedException">Its content is gone, has another length or has changed.</exception>
    OpenBlob Open(BlobHash hash, StoredBlob blob);

    /// <summary>Opens what is here of a partial blob of more than one group, or begins one: from then on it is recorded.</summary>
    /// <param name="hash">The blob.</param>
    /// <param name="size">The claimed size.</param>
    OpenBlob OpenPartial(BlobHash hash, ulong size);

    /// <summary>Opens what is here of a partial blob, for looking; null if its files are gone.</summary>
    OpenBlob? TryOpenPartial(BlobHash hash, out ulong size);

    /// <summary>Says that a partial blob is about to get more than is recorded.</summary>
    void MarkDirty(BlobHash hash);

    /// <summary>Records which chunks are here. The caller has flushed them.</summary>
    void RecordPartial(BlobHash hash, ulong size, ChunkRanges present, bool isClean);

    /// <summary>Makes a partial blob, all of which is in its flushed files, a complete one. Safe on the device on return.</summary>
    ValueTask<StoredBlob> CompletePartialAsync(BlobHash hash, long size, OpenBlob files);

    /// <summary>Makes a complete blob a partial one, of which these chunks are left; null if it has no files of its own: then it is forgotten.
    /// </summary>
    ValueTask<bool> DemoteAsync(BlobHash hash, StoredBlob blob, OpenBlob files, ChunkRanges present);

    /// <summary>Removes a partial blob.</summary>
    void RemovePartial(BlobHash hash);

    /// <summary>Removes what is left of the way from partial to complete.</summary>
    void TidyCompleted(BlobHash hash, StoredBlob blob);

    /// <summary>Removes a complete blob.</summary>
    ValueTask RemoveAsync(BlobHash hash, StoredBlob blob);

    /// <summary>Stores a blob of one group. Safe on the device on return.</summary>
    ValueTask<StoredBlob> AddInlineAsync(BlobHash hash, ReadOnlyMemory<byte> content);

    /// <summary>Begins an import: files that have no blob yet.</summary>
    /// <param name="reference">The file that the content stays in; null to copy.</param>
    IBlobImport BeginImport(FileReference? reference);

    /// <summary>Keeps the outboard of a complete blob as it is in its open files, where it was put right.</summary>
    ValueTask SaveOutboardAsync(BlobHash hash, StoredBlob blob, OpenBlob files);

    /// <summary>Moves an owned file out and refers to it there; null if that cannot be done.</summary>
    ValueTask<StoredBlob?> TryMoveOutAsync(BlobHash hash, StoredBlob blob, string path);

    /// <summary>Sets or removes tags, all or none. Safe on the device on return.</summary>
    void WriteTags(IReadOnlyList<(string Name, HashAndFormat? Content)> changes);

    /// <summary>The files of contents and outboards, and whose they are by their names; null = nobody's.</summary>
    IReadOnlyList<(string Path, BlobHash? Hash)> ListFiles();

    /// <summary>Whether a file of a blob is in use by it. Under the gate of its entry.</summary>
    /// <param name="path">The file.</param>
    /// <param name="hash">The blob.</param>
    /// <param name="isPartial">Whether some of the blob is here.</param>
    /// <param name="stored">The blob, if it is complete.</param>
    bool Owns(string path, BlobHash hash, bool isPartial, StoredBlob? stored);

    /// <summary>Removes a file that belongs to nothing.</summary>
    void RemoveOrphan(string path);
}

/// <summary>The files of an import, which are removed when it is disposed before it is published. Has one owner.</summary>
internal interface IBlobImport : IDisposable
{
    /// <summary>Where the content goes; the file itself, read-only, if it is referred to.</summary>
    IBlobFile Data { get; }

    /// <summary>Where the outboard goes.</summary>
    IBlobFile Outboard { get; }

    /// <summary>Room for pairs until it is known where they belong.</summary>
    IBlobFile Pairs { get; }

    /// <summary>Makes a complete blob of the files. Safe on the device on return.</summary>
    ValueTask<StoredBlob> PublishAsync(BlobHash hash, long size);
}
