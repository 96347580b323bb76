using Iroh.Blobs.Ranges;

namespace Iroh.Blobs.Store;

/// <summary>Which chunks of a blob are here.</summary>
/// <param name="Size">Bytes of the whole blob as far as known: a claim until <paramref name="IsSizeVerified"/>, 0 if there is none.</param>
/// <param name="IsSizeVerified">Whether the size is proven, as the last chunk is here.</param>
/// <param name="Present">The chunks; <see cref="ChunkRanges.All"/> if the blob is complete, else ranges with an end.</param>
public sealed record BlobBitfield(ulong Size, bool IsSizeVerified, ChunkRanges Present)
{
    /// <summary>Nothing is here, and nothing known.</summary>
    public static BlobBitfield Nothing { get; } = new(0, false, ChunkRanges.Empty);

    /// <summary>Whether every chunk is here.</summary>
    public bool IsComplete => Present.IsAll;

    /// <summary>A complete blob.</summary>
    public static BlobBitfield Complete(ulong size) => new(size, true, ChunkRanges.All);
}
