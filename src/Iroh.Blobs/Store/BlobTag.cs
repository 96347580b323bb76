namespace Iroh.Blobs.Store;

/// <summary>A name that keeps content in a store, through restarts, until it is deleted.</summary>
/// <param name="Name">The name, one to <see cref="NameBytesMax"/> bytes as UTF-8.</param>
/// <param name="Content">What it keeps: a blob, or a hash sequence with the blobs that it lists.</param>
public sealed record BlobTag(string Name, HashAndFormat Content)
{
    /// <summary>The longest name in bytes of UTF-8: room for any path and URL, and a row of the index stays small.</summary>
    public const int NameBytesMax = 4096;
}
