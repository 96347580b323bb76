using System.Text.Json.Nodes;
using Blixard.Cli.Cluster;
using Blixard.Cli.Vms;
using Blixard.V1;

namespace Blixard.Cli.Images;

/// <summary>An image as JSON.</summary>
internal static class ImageJson
{
    /// <param name="image">The image.</param>
    /// <param name="here">The name of the node that was asked; null if it does not matter.</param>
    public static JsonObject Create(ImageRecord image, string? here = null)
    {
        JsonObject json = ToJson(image);
        if (here is not null)
            json["here"] = image.Nodes.Contains(here);
        json["catalogue"] = "";
        return json;
    }

    /// <summary>An image of another cluster's catalogue: "nodes" are that cluster's.</summary>
    public static JsonObject Create(ForeignImage image)
    {
        JsonObject json = ToJson(image.Image);
        json["here"] = false;
        json["catalogue"] = image.Catalogue;
        return json;
    }

    private static JsonObject ToJson(ImageRecord image) => new()
    {
        ["name"] = image.Name,
        ["tag"] = image.Tag,
        ["hash"] = Convert.ToHexStringLower(image.Hash.Span),
        // The catalogue names it; whether anybody still holds it is another matter.
        ["state"] = image.Nodes.Count > 0 ? "available" : "missing",
        ["node"] = image.Nodes.FirstOrDefault() ?? "",
        ["sizeBytes"] = image.SizeBytes,
        ["kind"] = ImageText.Kind(image),
        ["architecture"] = image.Architecture,
        ["kernelArgs"] = image.KernelArgs,
        ["labels"] = new JsonObject(image.Labels.OrderBy(label => label.Key, StringComparer.Ordinal)
            .Select(label => KeyValuePair.Create(label.Key, (JsonNode?)JsonValue.Create(label.Value)))),
        ["addedBy"] = image.AddedBy,
        ["nodes"] = new JsonArray([.. image.Nodes.Select(node => JsonValue.Create(node))]),
        ["copies"] = image.Copies,
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
