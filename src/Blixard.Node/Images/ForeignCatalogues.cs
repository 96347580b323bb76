using Blixard.Cluster.Store;
using Blixard.Images.Catalogue;
using Blixard.Images.Manifests;
using Blixard.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Iroh.Blobs.Transfer;
using EndpointAddress = Iroh.Base.EndpointAddress;
using EndpointId = Iroh.Base.EndpointId;

namespace Blixard.Node.Images;

/// <summary>The images of others' catalogues, as they are named here: "CATALOGUE//name:tag".</summary>
internal static class ForeignCatalogues
{
    // What stands before an item of a list, or a number in a message: its field and its length.
    private const int FieldLengthMax = 12;

    /// <summary>The two parts of a name; null if it is none of another's catalogue.</summary>
    public static (string Catalogue, string Reference)? Split(string reference)
    {
        int end = reference.IndexOf("//", StringComparison.Ordinal);
        return end > 0 ? (reference[..end], reference[(end + 2)..]) : null;
    }

    /// <summary>All images, as far as they have arrived, by catalogue, name and tag.</summary>
    public static IEnumerable<ForeignImage> ImagesOf(CatalogueSession session) =>
        from pair in session.Foreign
        let snapshot = pair.Value.Catalogue.Current
        from image in snapshot.Images
        select new ForeignImage { Catalogue = pair.Key, Image = ToRecord(image, snapshot.HoldersOf(image.Hash)) };

    /// <summary>As many images as an answer has room for, the first ones: how much others' catalogues say is not in this cluster's hands.</summary>
    /// <param name="images">All images.</param>
    /// <param name="room">Bytes that are left in the answer.</param>
    public static (IReadOnlyList<ForeignImage> Fitting, int LeftOut) Fit(IEnumerable<ForeignImage> images, int room)
    {
        var fitting = new List<ForeignImage>();
        int leftOut = 0;
        room -= FieldLengthMax;
        foreach (ForeignImage image in images)
        {
            int length = image.CalculateSize() + FieldLengthMax;
            // After the first one that is left out no other follows, so that what is shown ends somewhere.
            if (leftOut > 0 || length > room)
            {
                leftOut++;
                continue;
            }

            room -= length;
            fitting.Add(image);
        }

        return (fitting, leftOut);
    }

    /// <summary>An image, and who may have it: the nodes of the ticket, and those that say so.</summary>
    /// <exception cref="RecordException">There is no such image.</exception>
    public static (CatalogueImage Image, IReadOnlyList<IBlobSource> Sources) Find(CatalogueSession session, string reference)
    {
        (string catalogue, string rest) = Split(reference) ?? throw new RecordException(RecordFailure.Invalid, $"'{reference}' names no catalogue.");
        if (!ImageReference.TryParse(rest, out ImageReference? wanted, out string? wrong))
            throw new RecordException(RecordFailure.Invalid, $"'{rest}' is no image: {wrong}.");
        CatalogueSnapshot? snapshot = session.Foreign.TryGetValue(catalogue, out OpenCatalogue? open) ? open.Catalogue.Current : null;
        if (open is null || snapshot is null || !snapshot.TryFind(wanted, out CatalogueImage? image))
        {
            string why = open is { Reason.Length: > 0 } ? $" It cannot be followed now: {open.Reason}" : "";
            throw new RecordException(RecordFailure.NotFound, $"The catalogue '{catalogue}' names no image {rest}.{why}");
        }

        IReadOnlyList<CatalogueHolder> holders = snapshot.HoldersOf(image.Hash);
        string NameOf(EndpointId id) => $"{catalogue}/{holders.FirstOrDefault(holder => holder.Endpoint == id)?.Node ?? id.ToShortString()}";
        // Where a node of the ticket is, the ticket says.
        IEnumerable<EndpointAddress> others = holders.Select(holder => holder.Endpoint).Where(id => open.Nodes.All(node => node.Id != id))
            .Select(EndpointAddress.FromEndpointId);
        return (image, [.. open.Nodes.Concat(others).Select(address => session.Sources.Create(address, NameOf(address.Id)))]);
    }

    private static ImageRecord ToRecord(CatalogueImage image, IReadOnlyList<CatalogueHolder> holders) => new()
    {
        Name = image.Name,
        Tag = image.Tag,
        Hash = ByteString.CopyFrom(image.Hash.ToArray()),
        SizeBytes = (ulong)image.SizeBytes,
        Kind = ImageKinds.ToMessage(image.Kind),
        Architecture = image.Architecture,
        AddedBy = image.AddedBy,
        CreatedAt = Timestamp.FromDateTimeOffset(image.AddedAt),
        Copies = (uint)image.Copies,
        Labels = { image.Labels },
        Nodes = { holders.Select(holder => holder.Node) },
    };
}
