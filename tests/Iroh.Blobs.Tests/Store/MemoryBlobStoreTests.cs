using Iroh.Blobs.Store;

namespace Iroh.Blobs.Tests.Store;

public sealed class MemoryBlobStoreTests : BlobStoreSuite
{
    protected override IBlobStore Open(BlobStoreOptions options, string name = "store") => new MemoryBlobStore(options);
}
