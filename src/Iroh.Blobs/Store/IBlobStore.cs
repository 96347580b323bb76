namespace Iroh.Blobs.Store;

/// <summary>
/// Content by hash, complete and partial, and what keeps it: tags (through restarts), temporary tags, open contents and writers (in this
/// process). The rest goes when garbage is collected, never by itself. Thread-safe. The empty blob is always complete and takes no room.
/// </summary>
/// <remarks>
/// Results that are disposable belong to the caller. A store is disposed by whoever opened it, after all contents and writers.
/// </remarks>
public interface IBlobStore : IAsyncDisposable
{
    /// <summary>What is here of a blob.</summary>
    BlobStatus GetStatus(BlobHash hash);

    /// <summary>All blobs of which something is here, ordered by hash; without the empty one.</summary>
    IReadOnlyList<BlobEntry> List();

    /// <summary>Stores content that is in memory. It is safe on the disk when this returns.</summary>
    /// <param name="content">Copied.</param>
    /// <param name="format">What the result holds: the blob, or the blobs that it lists, too.</param>
    /// <param name="cancellationToken">Ends it early; nothing is stored then.</param>
    /// <exception cref="StoreFullException">There is no room.</exception>
    ValueTask<TempTag> AddBytesAsync(
        ReadOnlyMemory<byte> content, BlobFormat format = BlobFormat.Raw, CancellationToken cancellationToken = default);

    /// <summary>Stores a file's content, hashing on the way.</summary>
    /// <param name="path">An absolute path of a file.</param>
    /// <param name="mode">Whether the file is copied or stays.</param>
    /// <param name="format">As in <see cref="AddBytesAsync"/>.</param>
    /// <param name="progress">Told now and then of all bytes hashed so far; on any thread, and must be quick.</param>
    /// <param name="cancellationToken">Ends it early and leaves nothing behind.</param>
    /// <exception cref="StoreFullException">There is no room.</exception>
    /// <exception cref="IOException">The file cannot be read, or changed while it was read.</exception>
    Task<TempTag> AddFileAsync(
        string path, ImportMode mode = ImportMode.Copy, BlobFormat format = BlobFormat.Raw, Action<long>? progress = null,
        CancellationToken cancellationToken = default);

    /// <summary>Stores what a stream has from here to its end. Parameters and errors as in <see cref="AddFileAsync"/>.</summary>
    /// <param name="content">The caller's; read to its end.</param>
    Task<TempTag> AddStreamAsync(
        Stream content, BlobFormat format = BlobFormat.Raw, Action<long>? progress = null, CancellationToken cancellationToken = default);

    /// <summary>Opens a blob for reading.</summary>
    /// <returns>Null if nothing is here of it.</returns>
    /// <exception cref="BlobDamagedException">Its file is gone or has another length; the blob is given up.</exception>
    IBlobContent? TryOpen(BlobHash hash);

    /// <summary>Opens a blob for writing; it need not be known. For a complete one whose <see cref="IBlobWriter.Completed"/> has ended,
    /// writes do nothing.</summary>
    IBlobWriter OpenWriter(BlobHash hash);

    /// <summary>
    /// What is here of a blob: at once, and then whenever more came, until it is complete; growth that comes quickly is told as one. The blob
    /// need not be known, and is not kept by this. Only a blob that is removed in between shrinks.
    /// </summary>
    IAsyncEnumerable<BlobBitfield> ObserveAsync(BlobHash hash, CancellationToken cancellationToken = default);

    /// <summary>Writes a complete blob to a file, checking it on the way. The file has its name only when it is whole.</summary>
    /// <param name="hash">The blob.</param>
    /// <param name="path">An absolute path; folders are made, a file that is there is replaced.</param>
    /// <param name="mode">Whether the file is a copy or becomes the blob's place.</param>
    /// <param name="progress">As in <see cref="AddFileAsync"/>.</param>
    /// <param name="cancellationToken">Ends it early and leaves nothing behind.</param>
    /// <exception cref="BlobMissingException">The blob is not here, or not all of it.</exception>
    /// <exception cref="BlobDamagedException">What is stored is wrong.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    Task ExportAsync(
        BlobHash hash, string path, ExportMode mode = ExportMode.Copy, Action<long>? progress = null,
        CancellationToken cancellationToken = default);

    /// <summary>Keeps content, here or still to come, from being collected until the result is disposed.</summary>
    TempTag Hold(HashAndFormat content);

    /// <summary>Gives content, here or still to come, a name; a name that exists names this from now on. Safe on the disk on return.</summary>
    /// <exception cref="ArgumentException">The name is empty or too long (<see cref="BlobTag.NameBytesMax"/>).</exception>
    /// <exception cref="StoreFullException">There is no room.</exception>
    void SetTag(string name, HashAndFormat content);

    /// <summary>Gives content a name that is not taken, made of the time: <c>auto-2026-01-31T12:00:05.123Z</c>.</summary>
    /// <returns>The name.</returns>
    string CreateTag(HashAndFormat content);

    /// <summary>Takes a name away.</summary>
    /// <returns>False if there is none of it.</returns>
    bool DeleteTag(string name);

    /// <summary>Gives a tag another name, in one step. A tag that has that name is replaced.</summary>
    /// <returns>False if there is no tag <paramref name="from"/>.</returns>
    bool RenameTag(string from, string to);

    /// <summary>The tag of a name; null if there is none.</summary>
    BlobTag? TryGetTag(string name);

    /// <summary>The tags whose names begin so, ordered by name (by character codes).</summary>
    IReadOnlyList<BlobTag> ListTags(string prefix = "");

    /// <summary>Removes a blob that nothing uses or keeps.</summary>
    /// <returns>False if it is not here, or something keeps it.</returns>
    bool Delete(BlobHash hash);

    /// <summary>
    /// Removes the blobs that nothing keeps: no tag, temporary tag, open content or writer, no hash sequence that is kept so and lists
    /// them, and not <paramref name="alsoLive"/>. What was added, written or held after the call began stays, too, so that imports and
    /// downloads may run beside it. Files that are only referred to are never deleted.
    /// </summary>
    /// <param name="alsoLive">What else is to stay, asked once after the call began. If it throws, nothing is removed.</param>
    /// <param name="cancellationToken">Ends it early; what was removed until then is gone.</param>
    Task<GarbageReport> CollectGarbageAsync(
        Func<CancellationToken, ValueTask<IReadOnlySet<BlobHash>>>? alsoLive = null, CancellationToken cancellationToken = default);

    /// <summary>Reads and hashes everything, and looks for files that belong to nothing. May run while the store is used.</summary>
    /// <param name="repair">Whether to put right what is wrong, as <see cref="StoreProblem"/> says.</param>
    /// <param name="progress">Told now and then.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    Task<CheckReport> CheckAsync(bool repair, IProgress<CheckProgress>? progress = null, CancellationToken cancellationToken = default);
}
