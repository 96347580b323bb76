using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Blixard.Images.Manifests;
using Iroh.Base;
using Iroh.Blobs;

namespace Blixard.Images.Catalogue;

/// <summary>
/// Entries of a catalogue as JSON: UTF-8, one object. Unlike a manifest an entry has no identity of its own, so members that a later
/// version adds are passed over.
/// </summary>
internal static partial class CatalogueCodec
{
    private const int Schema = 1;

    // Object, labels: anything deeper is no entry.
    private const int DepthMax = 3;

    private static readonly CatalogueJsonContext Context = new(ImageJsonText.Options(DepthMax, JsonUnmappedMemberHandling.Skip));

    public static byte[] Write(CatalogueImage image)
    {
        if (image.Check() is { } wrong)
            throw new InvalidManifestException(wrong);
        byte[] bytes = JsonSerializer.SerializeToUtf8Bytes(
            new ImageJson
            {
                Schema = Schema,
                Name = image.Name,
                Tag = image.Tag,
                Hash = image.Hash.ToString(),
                Collection = image.Collection.ToString(),
                Size = image.SizeBytes,
                Kind = ImageJsonText.Write(image.Kind),
                Architecture = image.Architecture,
                Labels = image.Labels,
                AddedBy = image.AddedBy,
                AddedAt = ImageJsonText.Write(image.AddedAt),
                Copies = image.Copies,
            },
            Context.ImageJson);
        return bytes.Length <= CatalogueImage.LengthMax
            ? bytes
            : throw new InvalidManifestException($"the catalogue's entry would have {bytes.Length} bytes; {CatalogueImage.LengthMax} are possible");
    }

    public static byte[] Write(CatalogueHolder holder) => JsonSerializer.SerializeToUtf8Bytes(
        new HolderJson { Schema = Schema, Node = holder.Node, Endpoint = holder.Endpoint.ToString() }, Context.HolderJson);

    public static bool TryReadImage(
        ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out CatalogueImage? image, [NotNullWhen(false)] out string? error)
    {
        image = null;
        if (!TryDeserialize(bytes, CatalogueImage.LengthMax, Context.ImageJson, out ImageJson? json, out error) || !IsKnown(json.Schema, out error))
            return false;
        if (!BlobHash.TryParse(json.Hash, out BlobHash hash) || !BlobHash.TryParse(json.Collection, out BlobHash collection))
        {
            error = "a hash is not 64 lower-case hexadecimal digits";
            return false;
        }

        if (!ImageJsonText.TryReadTime(json.AddedAt, "the time", out DateTimeOffset addedAt, out error)
            || !ImageJsonText.TryReadKind(json.Kind, out ManifestKind kind, out error)
            || !ImageJsonText.TryReadLabels(json.Labels, out SortedDictionary<string, string>? labels, out error))
            return false;
        var read = new CatalogueImage
        {
            Name = json.Name,
            Tag = json.Tag,
            Hash = hash,
            Collection = collection,
            SizeBytes = json.Size,
            Kind = kind,
            Architecture = json.Architecture,
            Labels = labels,
            AddedBy = json.AddedBy,
            AddedAt = addedAt,
            Copies = json.Copies,
        };
        error = read.Check();
        image = error is null ? read : null;
        return image is not null;
    }

    public static bool TryReadHolder(
        ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out CatalogueHolder? holder, [NotNullWhen(false)] out string? error)
    {
        holder = null;
        if (!TryDeserialize(bytes, CatalogueHolder.LengthMax, Context.HolderJson, out HolderJson? json, out error) || !IsKnown(json.Schema, out error))
            return false;
        if (json.Node.Length is 0 or > CatalogueImage.AddedByLengthMax || !json.Node.All(static c => c is > ' ' and <= '~'))
        {
            error = "the node's name is not printable ASCII of the right length";
            return false;
        }

        if (!EndpointId.TryParse(json.Endpoint, out EndpointId endpoint))
        {
            error = "the endpoint is no endpoint id";
            return false;
        }

        holder = new CatalogueHolder(json.Node, endpoint);
        return true;
    }

    private static bool TryDeserialize<T>(
        ReadOnlySpan<byte> bytes, int lengthMax, JsonTypeInfo<T> type, [NotNullWhen(true)] out T? json, [NotNullWhen(false)] out string? error)
        where T : class
    {
        json = null;
        error = bytes.Length > lengthMax ? $"the entry has {bytes.Length} bytes; {lengthMax} are possible" : null;
        return error is null && ImageJsonText.TryDeserialize(bytes, type, "the entry", out json, out error);
    }

    private static bool IsKnown(int schema, [NotNullWhen(false)] out string? error)
    {
        error = schema == Schema ? null : $"the entry is of schema {schema}; {Schema} is known here";
        return error is null;
    }

    internal sealed class ImageJson
    {
        [JsonPropertyName("schema")]
        public required int Schema { get; init; }

        [JsonPropertyName("name")]
        public required string Name { get; init; }

        [JsonPropertyName("tag")]
        public required string Tag { get; init; }

        [JsonPropertyName("hash")]
        public required string Hash { get; init; }

        [JsonPropertyName("collection")]
        public required string Collection { get; init; }

        [JsonPropertyName("size")]
        public required long Size { get; init; }

        [JsonPropertyName("kind")]
        public required string Kind { get; init; }

        [JsonPropertyName("architecture")]
        public required string Architecture { get; init; }

        [JsonPropertyName("labels")]
        public required SortedDictionary<string, string> Labels { get; init; }

        [JsonPropertyName("addedBy")]
        public required string AddedBy { get; init; }

        [JsonPropertyName("addedAt")]
        public required string AddedAt { get; init; }

        [JsonPropertyName("copies")]
        public int Copies { get; init; }
    }

    internal sealed class HolderJson
    {
        [JsonPropertyName("schema")]
        public required int Schema { get; init; }

        [JsonPropertyName("node")]
        public required string Node { get; init; }

        [JsonPropertyName("endpoint")]
        public required string Endpoint { get; init; }
    }

    [JsonSerializable(typeof(ImageJson))]
    [JsonSerializable(typeof(HolderJson))]
    internal sealed partial class CatalogueJsonContext : JsonSerializerContext;
}
