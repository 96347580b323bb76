using System.Text.Json;
using Blixard.Containers.Archives;

namespace Blixard.Containers.Images;

/// <summary>Finds an image in the output of <c>docker save</c>: <c>manifest.json</c> names configurations and layers (moby,
/// image/spec/v1.2.md, "Combined Image JSON + Filesystem Changeset Format").</summary>
internal static class DockerArchive
{
    public const string ManifestName = "manifest.json";

    /// <summary>Finds the image; <paramref name="reference"/> (NAME:TAG) says which if there are several.</summary>
    /// <exception cref="ContainerImageException">There is none of that name, or several and no name, or it is malformed.</exception>
    public static ContainerImage Find(ImageArchive archive, string? reference)
    {
        using JsonDocument document = JsonFields.Parse(archive.ReadJson(ManifestName), ManifestName);
        if (document.RootElement.ValueKind != JsonValueKind.Array)
            throw ContainerImageException.Malformed($"{ManifestName} is no JSON array");
        var images = document.RootElement.EnumerateArray()
            .Select(static image => (Image: image, Tags: JsonFields.Texts(image, "RepoTags", ManifestName) ?? [])).ToList();
        (JsonElement chosen, IReadOnlyList<string> tags) = ReferenceChoice.Choose(archive.Description, images, reference);

        byte[] json = archive.ReadJson(JsonFields.RequiredText(chosen, "Config", ManifestName));
        ImageConfiguration configuration = ImageConfiguration.Read(json);
        IReadOnlyList<string> layers = JsonFields.Texts(chosen, "Layers", ManifestName) ?? [];
        if (layers.Count != configuration.DiffIds.Count)
            throw ContainerImageException.Malformed($"{ManifestName} names {layers.Count} layers and the configuration {configuration.DiffIds.Count}");
        return new ContainerImage(
            reference ?? (tags.Count > 0 ? tags[0] : null), Digest.Of(json), configuration,
            [.. layers.Select((name, i) => new ImageLayer(name, configuration.DiffIds[i], null, null))]);
    }
}
