using Iroh.Blobs;

namespace Blixard.Images.Blobs;

/// <summary>Content that is in the store now.</summary>
/// <param name="Hash">What it is called.</param>
/// <param name="Size">Its size in bytes.</param>
/// <param name="Pin">Keeps it until something else does; disposed by the caller.</param>
public sealed record AddedBlob(BlobHash Hash, long Size, IDisposable Pin);
