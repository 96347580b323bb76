using Blixard.Images;
using Blixard.Images.Catalogue;
using Blixard.Images.Manifests;
using Blixard.V1;
using Iroh.Blobs;
using Iroh.Blobs.Provider;

namespace Blixard.Node.Images;

/// <summary>The content of the cluster's images: what outsiders may have while the catalogue is shared. Immutable.</summary>
internal sealed class SharedContent
{
    private readonly HashSet<BlobHash> _collections = [];
    private readonly HashSet<BlobHash> _blobs = [];

    private SharedContent(IReadOnlyList<CatalogueImage> images) => Images = images;

    /// <summary>Nothing.</summary>
    public static SharedContent Empty { get; } = new([]);

    /// <summary>The images as the document says them.</summary>
    public IReadOnlyList<CatalogueImage> Images { get; }

    /// <summary>The content of these images.</summary>
    public static SharedContent Of(IReadOnlyList<ImageRecord> records)
    {
        var pairs = records.Select(record => (Record: record, Collection: CollectionOf(record))).ToArray();
        var shared = new SharedContent([.. pairs.Select(pair => ToEntry(pair.Record, pair.Collection)).Where(IsSayable)]);
        foreach ((ImageRecord record, ImageCollection collection) in pairs)
        {
            shared._collections.Add(collection.Root);
            shared._blobs.UnionWith([collection.Root, BlobHash.Of(collection.Names.Span), new BlobHash(record.Hash.Span)]);
            shared._blobs.UnionWith(record.Parts.Select(part => new BlobHash(part.Hash.Span)));
        }

        return shared;
    }

    /// <summary>Whether outsiders may have all that a request asks for. A part that is read as a sequence of hashes could name anything.</summary>
    /// <param name="request">The request.</param>
    /// <param name="isEntry">Whether a blob is an entry of the catalogue's document.</param>
    public bool Allows(BlobRequestInfo request, Func<BlobHash, bool> isEntry) =>
        request.Kind != BlobRequestKind.Push
        && request.Hashes.All(hash => request.IsHashSequence ? _collections.Contains(hash) : _blobs.Contains(hash) || isEntry(hash));

    private static ImageCollection CollectionOf(ImageRecord record) =>
        ImageCollection.Of(new BlobHash(record.Hash.Span), record.Parts.Select(part => (part.Name, new BlobHash(part.Hash.Span))));

    private static CatalogueImage ToEntry(ImageRecord record, ImageCollection collection)
    {
        DateTimeOffset time = record.CreatedAt?.ToDateTimeOffset() ?? DateTimeOffset.UnixEpoch;
        return new CatalogueImage
        {
            Name = record.Name,
            Tag = record.Tag,
            Hash = new BlobHash(record.Hash.Span),
            Collection = collection.Root,
            SizeBytes = (long)Math.Min(record.SizeBytes, long.MaxValue),
            Kind = ImageKinds.ToManifest(record.Kind),
            Architecture = record.Architecture,
            Labels = new SortedDictionary<string, string>(record.Labels, StringComparer.Ordinal),
            AddedBy = record.AddedBy,
            AddedAt = new DateTimeOffset(time.UtcTicks - (time.UtcTicks % TimeSpan.TicksPerSecond), TimeSpan.Zero),
            Copies = (int)Math.Min(record.Copies, CatalogueImage.CopiesMax),
        };
    }

    // A record of a later version may hold what this one's entries cannot say.
    private static bool IsSayable(CatalogueImage image)
    {
        try
        {
            return image.ToBytes().Length > 0;
        }
        catch (InvalidManifestException)
        {
            return false;
        }
    }
}
