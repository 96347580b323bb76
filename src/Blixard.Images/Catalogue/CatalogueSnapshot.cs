using System.Diagnostics.CodeAnalysis;
using Blixard.Images.Manifests;
using Iroh.Blobs;

namespace Blixard.Images.Catalogue;

/// <summary>
/// The catalogue as a document's entries say it at one moment. Of all authors' entries for a name the newest counts, and of two of the same
/// time the one of the greater author, so that all who have the same entries see the same. Immutable.
/// </summary>
public sealed class CatalogueSnapshot
{
    private readonly Dictionary<BlobHash, IReadOnlyList<CatalogueHolder>> _holders;

    private CatalogueSnapshot(IReadOnlyList<CatalogueImage> images, Dictionary<BlobHash, IReadOnlyList<CatalogueHolder>> holders, int unread) =>
        (Images, _holders, Unread) = (images, holders, unread);

    /// <summary>An empty catalogue.</summary>
    public static CatalogueSnapshot Empty { get; } = new([], [], 0);

    /// <summary>The images by name and tag, in the order of bytes.</summary>
    public IReadOnlyList<CatalogueImage> Images { get; }

    /// <summary>The names of the nodes that say they hold something, each once, in no order.</summary>
    public IEnumerable<string> HolderNodes => _holders.Values.SelectMany(static holders => holders).Select(static holder => holder.Node).Distinct(StringComparer.Ordinal);

    /// <summary>How many entries have not arrived yet or cannot be read.</summary>
    public int Unread { get; }

    /// <summary>Reads a document's entries, in any order. What cannot be read is passed over and counted.</summary>
    public static CatalogueSnapshot Read(IEnumerable<CatalogueRow> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var names = new SortedDictionary<string, CatalogueRow>(StringComparer.Ordinal);
        var holders = new Dictionary<BlobHash, SortedDictionary<string, CatalogueHolder>>();
        int unread = 0;
        foreach (CatalogueRow row in rows)
        {
            if (CatalogueKey.TryReadImage(row.Key.Span, out string? name, out string? tag))
            {
                string reference = $"{name}:{tag}";
                if (!names.TryGetValue(reference, out CatalogueRow known) || row.IsNewerThan(known))
                    names[reference] = row;
            }
            else if (CatalogueKey.TryReadHolder(row.Key.Span, out BlobHash hash) && row.Content is not { Length: 0 })
            {
                if (row.Content is { } content && CatalogueHolder.TryRead(content.Span, out CatalogueHolder? holder, out _))
                    (holders.TryGetValue(hash, out var some) ? some : holders[hash] = new(StringComparer.Ordinal))[holder.Node] = holder;
                else
                    unread++;
            }
        }

        var images = new List<CatalogueImage>();
        foreach ((string reference, CatalogueRow row) in names)
        {
            if (row.Content is { Length: 0 })
                continue;
            // An entry stands under its own name only: a copy under another key would say what nobody said.
            if (row.Content is { } content && CatalogueImage.TryRead(content.Span, out CatalogueImage? image, out _) && image.Reference == reference)
                images.Add(image);
            else
                unread++;
        }

        return new CatalogueSnapshot(images, holders.ToDictionary(pair => pair.Key, pair => (IReadOnlyList<CatalogueHolder>)[.. pair.Value.Values]), unread);
    }

    /// <summary>The nodes that say they have all of an image, by name.</summary>
    /// <param name="image">The hash of its manifest.</param>
    public IReadOnlyList<CatalogueHolder> HoldersOf(BlobHash image) => _holders.TryGetValue(image, out IReadOnlyList<CatalogueHolder>? holders) ? holders : [];

    /// <summary>Looks an image up by name or hash; of several names for one hash the first.</summary>
    public bool TryFind(ImageReference reference, [NotNullWhen(true)] out CatalogueImage? image)
    {
        ArgumentNullException.ThrowIfNull(reference);
        image = reference.Hash is { } hash
            ? Images.FirstOrDefault(known => known.Hash == hash)
            : Images.FirstOrDefault(known => known.Name == reference.Name && known.Tag == reference.Tag);
        return image is not null;
    }
}
