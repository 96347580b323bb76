using Blixard.Cli.Output;
using Blixard.V1;

namespace Blixard.Cli.Images;

/// <summary>Images as text.</summary>
internal static class ImageText
{
    /// <summary>A line for each image.</summary>
    /// <param name="images">The images.</param>
    /// <param name="here">The name of the node that was asked; empty if it does not matter.</param>
    /// <param name="foreign">Images of others' catalogues.</param>
    public static string Table(IEnumerable<ImageRecord> images, string here, IEnumerable<ForeignImage>? foreign = null) => TextTable.Render(
        ["IMAGE", "KIND", "SIZE", "ARCHITECTURE", "COPIES", "NODES", "HASH"],
        images.Select(image => Row("", image, here)).Concat((foreign ?? []).Select(other => Row($"{other.Catalogue}//", other.Image, ""))));

    /// <summary>The word of what an image was made from: what is not said is a machine.</summary>
    public static string Kind(ImageRecord image) => image.Kind == ImageKind.Container ? "container" : "machine";

    /// <summary>A line for each label, by key, below an empty one; empty if there are none.</summary>
    public static string Labels(ImageRecord image) => image.Labels.Count == 0 ? "" : "\n\n" + TextTable.Render(
        ["LABEL", "VALUE"], image.Labels.OrderBy(label => label.Key, StringComparer.Ordinal).Select(label => (string[])[label.Key, label.Value]));

    private static string[] Row(string catalogue, ImageRecord image, string here) =>
    [
        $"{catalogue}{image.Name}:{image.Tag}",
        Kind(image),
        HumanText.Bytes(image.SizeBytes),
        image.Architecture,
        image.Copies > 0 ? $"{image.Nodes.Count} of {image.Copies}" : $"{image.Nodes.Count}",
        string.Join(", ", image.Nodes.Select(node => node == here ? $"{node} (here)" : node)),
        Convert.ToHexStringLower(image.Hash.Span)[..16],
    ];
}
