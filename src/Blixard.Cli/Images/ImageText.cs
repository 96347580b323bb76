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
        ["IMAGE", "SIZE", "ARCHITECTURE", "COPIES", "NODES", "HASH"],
        images.Select(image => Row("", image, here)).Concat((foreign ?? []).Select(other => Row($"{other.Catalogue}//", other.Image, ""))));

    private static string[] Row(string catalogue, ImageRecord image, string here) =>
    [
        $"{catalogue}{image.Name}:{image.Tag}",
        HumanText.Bytes(image.SizeBytes),
        image.Architecture,
        image.Copies > 0 ? $"{image.Nodes.Count} of {image.Copies}" : $"{image.Nodes.Count}",
        string.Join(", ", image.Nodes.Select(node => node == here ? $"{node} (here)" : node)),
        Convert.ToHexStringLower(image.Hash.Span)[..16],
    ];
}
