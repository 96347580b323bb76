using Iroh.Base;

namespace Iroh.Blobs.Provider;

/// <summary>A request as the provider's owner sees it.</summary>
/// <param name="Id">Counts the requests of a provider.</param>
/// <param name="Peer">Who asks.</param>
/// <param name="Kind">For what.</param>
/// <param name="Hashes">The blob; of a hash sequence its root alone, of <see cref="BlobRequestKind.GetMany"/> all.</param>
/// <param name="IsHashSequence">Whether it reaches for children of the blob. They are named by the sequence, so whoever may have it may have them.</param>
public sealed record BlobRequestInfo(long Id, EndpointId Peer, BlobRequestKind Kind, IReadOnlyList<BlobHash> Hashes, bool IsHashSequence);
