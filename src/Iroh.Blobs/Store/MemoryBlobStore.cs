using Iroh.Blobs.Store.Backends;

namespace Iroh.Blobs.Store;

/// <summary>A blob store in memory: gone when it is disposed. For tests and small content. See <see cref="IBlobStore"/>.</summary>
/// <param name="options">Null = the defaults; a quota is heeded.</param>
public sealed class MemoryBlobStore(BlobStoreOptions? options = null) : BlobStore(new MemoryBackend(), Checked(options))
{
    private static BlobStoreOptions Checked(BlobStoreOptions? options) =>
        options?.Check() is { } wrong ? throw new ArgumentException(wrong, nameof(options)) : options ?? new BlobStoreOptions();
}
