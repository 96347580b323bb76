using Iroh.Blobs.Store;

namespace Iroh.Blobs.Tests.Store;

public sealed class DiskBlobStoreTests : BlobStoreSuite
{
    protected override bool IsPersistent => true;

    protected override IBlobStore Open(BlobStoreOptions options, string name = "store") => DiskBlobStore.Open(Path.Combine(Folder, name), options);
}
