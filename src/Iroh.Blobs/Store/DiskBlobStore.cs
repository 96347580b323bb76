using Iroh.Blobs.Store.Backends;
using Iroh.Blobs.Store.Disk;

namespace Iroh.Blobs.Store;

/// <summary>
/// A blob store in a directory, which belongs to one process at a time. What it acknowledged is there after a crash; see docs/blobs.md for
/// what lies where. See <see cref="IBlobStore"/>.
/// </summary>
public sealed class DiskBlobStore : BlobStore
{
    private DiskBlobStore(string directory, BlobStoreOptions options, Action<string>? step)
        : base(new DiskBackend(directory, options.FlushesToDisk, step), options) => Root = Path.GetFullPath(directory);

    /// <summary>The directory.</summary>
    public string Root { get; }

    /// <summary>
    /// Opens a store, and makes it if there is none. Downloads that a crash interrupted are looked through: what is newer than their last record
    /// (<see cref="BlobStoreOptions.CheckpointBytes"/>) is hashed, all of it if the record is damaged.
    /// </summary>
    /// <param name="directory">Its directory, nobody else's.</param>
    /// <param name="options">Null = the defaults.</param>
    /// <exception cref="BlobStoreInUseException">Another process has it open.</exception>
    /// <exception cref="BlobStoreException">The index is damaged, or of a later version.</exception>
    /// <exception cref="IOException">The directory cannot be used.</exception>
    public static DiskBlobStore Open(string directory, BlobStoreOptions? options = null) => Open(directory, options, step: null);

    /// <summary>Whether there is a store in a directory, of this process, of another one or of nobody; its index may be missing. Nothing is
    /// opened or made.</summary>
    public static bool IsStore(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        var files = new StoreFiles(Path.GetFullPath(directory));
        return Directory.Exists(files.Content) && Directory.Exists(files.Partials) && File.Exists(files.Lock);
    }

    /// <summary>
    /// Where the file of a complete blob is, for programs that read it by themselves, unchecked: it is read-only and shared, and stays while the
    /// blob is held or tagged. <see cref="IBlobStore.CheckAsync"/> and every read through the store find what is wrong with it.
    /// </summary>
    /// <returns>Null if the blob is not here as a whole, has no file since it is small
    /// (<see cref="BlobStoreOptions.InlineBytesMax"/>), or its file is not what it was.</returns>
    public string? TryGetPath(BlobHash hash)
    {
        if (Table.TryGet(hash)?.Stored is not { } stored)
            return null;
        string? path = stored.Content switch
        {
            ContentPlace.Owned => new StoreFiles(Root).Data(hash),
            ContentPlace.Reference => stored.Reference!.Path,
            _ => null,
        };
        return path is not null && new FileInfo(path) is { Exists: true } file && file.Length == stored.Size
            && (stored.Reference is null || file.LastWriteTimeUtc.Ticks == stored.Reference.ModifiedTicks)
            ? path
            : null;
    }

    /// <param name="step">See <see cref="DiskBackend"/>.</param>
    internal static DiskBlobStore Open(string directory, BlobStoreOptions? options, Action<string>? step)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        options ??= new BlobStoreOptions();
        if (options.Check() is { } wrong)
            throw new ArgumentException(wrong, nameof(options));
        return new DiskBlobStore(directory, options, step);
    }
}
