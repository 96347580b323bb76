using Blixard.Cli.Output;
using Blixard.V1;

namespace Blixard.Cli.Images;

/// <summary>Images as text.</summary>
internal static class ImageText
{
    public static string Table(IEnumerable<ImageRecord> images) => TextTable.Render(
        ["IMAGE", "SIZE", "ARCHITECTURE", "NODES", "HASH"],
        images.Select(image => (string[])
        [
            $"{image.Name}:{image.Tag}",
            HumanText.Bytes(image.SizeBytes),
            image.Architecture,
            string.Join(", ", image.Nodes),
            Convert.ToHexStringLower(image.Hash.Span)[..16],
        ]));
}
