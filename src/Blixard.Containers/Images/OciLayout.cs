using System.Text.Json;
using Blixard.Containers.Archives;

namespace Blixard.Containers.Images;

/// <summary>Finds an image in an OCI image layout (image-spec 1.1: image-layout.md, image-index.md, manifest.md).</summary>
internal static class OciLayout
{
    public const string LayoutName = "oci-layout";

    private const string IndexName = "index.json";

    /// <summary>Finds the image for linux/amd64; <paramref name="reference"/> says which if there are several. A name is the annotation
    /// <c>org.opencontainers.image.ref.name</c>, or <c>io.containerd.image.name</c>, which docker save writes.</summary>
    /// <exception cref="ContainerImageException">There is none, or several and no name, or it is malformed.</exception>
    public static ContainerImage Find(ImageArchive archive, string? reference)
    {
        CheckVersion(archive);
        List<Descriptor> entries = ReadIndex(archive.ReadJson(IndexName), IndexName);
        var named = entries.Select(static entry => (entry, entry.Names)).ToList();
        // Without a name an index that is itself the list of one image's platforms is that image.
        bool isOneImage = reference is null && entries.Count > 1 && entries.All(static entry => entry.Names.Count == 0);
        (Descriptor? chosen, IReadOnlyList<string> names) = isOneImage
            ? (ChoosePlatform(entries), [])
            : ReferenceChoice.Choose(archive.Description, named, reference);

        for (int depth = 0; chosen.IsIndex; depth++)
        {
            if (depth == ContainerLimits.IndexDepthMax)
                throw ContainerImageException.TooLarge($"indexes are nested deeper than {ContainerLimits.IndexDepthMax}");
            chosen = ChoosePlatform(ReadIndex(ReadBlob(archive, chosen), $"the index {chosen.Digest}"));
        }

        return ReadManifest(archive, chosen, reference ?? (names.Count > 0 ? names[0] : null));
    }

    private static void CheckVersion(ImageArchive archive)
    {
        using JsonDocument document = JsonFields.Parse(archive.ReadJson(LayoutName), LayoutName);
        string version = JsonFields.RequiredText(document.RootElement, "imageLayoutVersion", LayoutName);
        if (!version.StartsWith("1.", StringComparison.Ordinal))
            throw ContainerImageException.Unsupported($"the layout has version {ByteText.Show(ByteText.FromUnicode(version))}; 1.x is supported");
    }

    private static ContainerImage ReadManifest(ImageArchive archive, Descriptor descriptor, string? reference)
    {
        if (!descriptor.IsManifest)
            throw ContainerImageException.Unsupported($"the image has the media type '{Shown(descriptor.MediaType)}'; it is neither an image manifest nor an index");
        string where = $"the manifest {descriptor.Digest}";
        using JsonDocument document = JsonFields.Parse(ReadBlob(archive, descriptor), where);
        JsonElement root = document.RootElement;
        Descriptor config = Descriptor.Read(JsonFields.RequiredObject(root, "config", where), where);
        if (config.MediaType is not ("application/vnd.oci.image.config.v1+json" or "application/vnd.docker.container.image.v1+json"))
            throw ContainerImageException.Unsupported($"the configuration has the media type '{Shown(config.MediaType)}'; this is no container image");
        ImageConfiguration configuration = ImageConfiguration.Read(ReadBlob(archive, config));
        List<Descriptor> layers = [.. (JsonFields.Array(root, "layers", where) ?? []).Select(layer => Descriptor.Read(layer, where))];
        if (layers.Count != configuration.DiffIds.Count)
            throw ContainerImageException.Malformed($"{where} names {layers.Count} layers and the configuration {configuration.DiffIds.Count}");
        return new ContainerImage(
            reference, config.Digest, configuration,
            [.. layers.Select((layer, i) => new ImageLayer(layer.BlobName, configuration.DiffIds[i], layer.Compression, (layer.Digest, layer.Size)))]);
    }

    private static List<Descriptor> ReadIndex(byte[] json, string where)
    {
        using JsonDocument document = JsonFields.Parse(json, where);
        return [.. (JsonFields.Array(document.RootElement, "manifests", where) ?? []).Select(entry => Descriptor.Read(entry, where))];
    }

    private static Descriptor ChoosePlatform(List<Descriptor> entries)
    {
        // An entry that states no platform is taken if it is the only one; the configuration is checked in any case.
        if (entries.Count == 1 && entries[0].Platform is null)
            return entries[0];
        return entries.FirstOrDefault(static entry => entry.Platform == "linux/amd64")
            ?? throw new ContainerImageException(
                ContainerImageFailure.WrongPlatform,
                $"the image is not there for linux/amd64, but for {string.Join(", ", entries.Select(static entry => Shown(entry.Platform ?? "?")).Distinct().Take(10))}");
    }

    private static byte[] ReadBlob(ImageArchive archive, Descriptor descriptor)
    {
        byte[] content = archive.ReadJson(descriptor.BlobName);
        if (content.Length != descriptor.Size)
            throw ContainerImageException.Malformed($"{descriptor.BlobName} has {content.Length} bytes and should have {descriptor.Size}");
        return Digest.Of(content) == descriptor.Digest ? content : throw ContainerImageException.Malformed($"{descriptor.BlobName} has another digest than its name says");
    }

    private static string Shown(string text) => ByteText.Show(ByteText.FromUnicode(text));
}
