using Blixard.Images.Manifests;
using Iroh.Blobs;
using Iroh.Blobs.Formats;

namespace Blixard.Images;

/// <summary>
/// An image as a collection of blobs, which any program that speaks iroh's blobs can fetch: <c>manifest.json</c>, then the parts under their
/// file names. It follows from the manifest alone.
/// </summary>
public sealed class ImageCollection
{
    /// <summary>What the manifest is called in the collection.</summary>
    public const string ManifestName = "manifest.json";

    private ImageCollection(byte[] names, byte[] sequence) => (Names, Sequence, Root) = (names, sequence, BlobHash.Of(sequence));

    /// <summary>The blob with the names.</summary>
    public ReadOnlyMemory<byte> Names { get; }

    /// <summary>The hash sequence: the names' hash, the manifest's, those of the parts.</summary>
    public ReadOnlyMemory<byte> Sequence { get; }

    /// <summary>The hash of the sequence, by which the collection is fetched and held.</summary>
    public BlobHash Root { get; }

    /// <summary>The collection as what a tag holds.</summary>
    public HashAndFormat Content => new(Root, BlobFormat.HashSequence);

    /// <summary>The collection of an image.</summary>
    public static ImageCollection Of(ImageManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return Of(manifest.Hash, manifest.Parts.Select(static part => (part.FileName, part.Hash)));
    }

    /// <summary>The collection of an image whose manifest need not be here.</summary>
    /// <param name="manifest">The manifest's hash.</param>
    /// <param name="parts">The parts' file names and hashes, as the manifest has them.</param>
    public static ImageCollection Of(BlobHash manifest, IEnumerable<(string FileName, BlobHash Hash)> parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        var collection = new Collection(
            [new CollectionEntry(ManifestName, manifest), .. parts.Select(static part => new CollectionEntry(part.FileName, part.Hash))]);
        return new ImageCollection(collection.NamesToBytes(), collection.ToHashSequence().Bytes.ToArray());
    }
}
