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
