using System.Text.Json.Nodes;
using Blixard.Cli.Cluster;
using Blixard.Cli.Vms;
using Blixard.V1;

namespace Blixard.Cli.Images;

/// <summary>An image as JSON.</summary>
internal static class ImageJson
{
    public static JsonObject Create(ImageRecord image) => new()
    {
        ["name"] = image.Name,
        ["tag"] = image.Tag,
        ["hash"] = Convert.ToHexStringLower(image.Hash.Span),
        // The catalogue names it; whether anybody still holds it is another matter.
        ["state"] = image.Nodes.Count > 0 ? "available" : "missing",
        ["node"] = image.Nodes.FirstOrDefault() ?? "",
        ["sizeBytes"] = image.SizeBytes,
        ["architecture"] = image.Architecture,
        ["kernelArgs"] = image.KernelArgs,
        ["addedBy"] = image.AddedBy,
        ["nodes"] = new JsonArray([.. image.Nodes.Select(node => JsonValue.Create(node))]),
        ["createdAt"] = VmJson.Time(image.CreatedAt),
        ["parts"] = new JsonArray([.. image.Parts.Select(part => new JsonObject
        {
            ["kind"] = StatusText.Name(part.Kind),
            ["name"] = part.Name,
            ["hash"] = Convert.ToHexStringLower(part.Hash.Span),
            ["sizeBytes"] = part.SizeBytes,
        })]),
    };
}
