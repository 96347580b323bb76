using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
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
    private const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss'Z'";

    // Object, labels: anything deeper is no entry.
    private const int DepthMax = 3;

    private static readonly CatalogueJsonContext Context = new(new JsonSerializerOptions
    {
        MaxDepth = DepthMax,
        AllowDuplicateProperties = false,
        RespectNullableAnnotations = true,
        // The texts are printable ASCII, and no browser reads them.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });

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
                Kind = NameOf(image.Kind),
                Architecture = image.Architecture,
                Labels = image.Labels,
                AddedBy = image.AddedBy,
                AddedAt = image.AddedAt.UtcDateTime.ToString(TimeFormat, CultureInfo.InvariantCulture),
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

        if (!DateTimeOffset.TryParseExact(json.AddedAt, TimeFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset addedAt))
        {
            error = "the time is not of the form 2026-01-31T12:00:00Z";
            return false;
        }

        if (json.Kind is not ("machine" or "container"))
        {
            error = "the image is neither a machine's nor a container's";
            return false;
        }

        // Annotations of type arguments are not looked at by the serializer.
        if (json.Labels.ContainsValue(null!))
        {
            error = "a label's value is null";
            return false;
        }

        var read = new CatalogueImage
        {
            Name = json.Name,
            Tag = json.Tag,
            Hash = hash,
            Collection = collection,
            SizeBytes = json.Size,
            Kind = json.Kind == "container" ? CatalogueImageKind.Container : CatalogueImageKind.Machine,
            Architecture = json.Architecture,
            Labels = new SortedDictionary<string, string>(json.Labels, StringComparer.Ordinal),
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
        ReadOnlySpan<byte> bytes, int lengthMax, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type,
        [NotNullWhen(true)] out T? json, [NotNullWhen(false)] out string? error)
        where T : class
    {
        json = null;
        error = null;
        if (bytes.Length > lengthMax)
        {
            error = $"the entry has {bytes.Length} bytes; {lengthMax} are possible";
            return false;
        }

        try
        {
            json = JsonSerializer.Deserialize(bytes, type);
            error = json is null ? "the entry is null" : null;
        }
        catch (JsonException e)
        {
            error = $"the entry cannot be read: {e.Message}";
        }

        return json is not null && error is null;
    }

    private static bool IsKnown(int schema, [NotNullWhen(false)] out string? error)
    {
        error = schema == Schema ? null : $"the entry is of schema {schema}; {Schema} is known here";
        return error is null;
    }

    private static string NameOf(CatalogueImageKind kind) => kind == CatalogueImageKind.Container ? "container" : "machine";

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
