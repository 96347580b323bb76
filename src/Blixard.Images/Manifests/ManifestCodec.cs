using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;
using Iroh.Blobs;

namespace Blixard.Images.Manifests;

/// <summary>
/// Manifests as JSON. The canonical form: UTF-8, members in the order of <see cref="ManifestJson"/>, labels ordered by key, no white space
/// between tokens, '"' and '\' escaped as JSON does and nothing else.
/// </summary>
internal static partial class ManifestCodec
{
    // The form before kinds. A machine's image is still written so: earlier versions read it, and it keeps one form.
    private const int SchemaOfMachines = 1;
    private const int Schema = 2;

    // Object, parts, part: anything deeper is no manifest.
    private const int DepthMax = 4;

    private static readonly ManifestJsonContext Context = new(ImageJsonText.Options(DepthMax, JsonUnmappedMemberHandling.Disallow));

    public static byte[] Write(ManifestContent content) => JsonSerializer.SerializeToUtf8Bytes(
        new ManifestJson
        {
            Schema = content.Kind == ManifestKind.Machine ? SchemaOfMachines : Schema,
            Name = content.Name,
            Tag = content.Tag,
            Kind = content.Kind == ManifestKind.Machine ? null : ImageJsonText.Write(content.Kind),
            Architecture = content.Architecture,
            KernelArguments = content.KernelArguments,
            Created = ImageJsonText.Write(content.Created),
            Labels = new SortedDictionary<string, string>(content.Labels, StringComparer.Ordinal),
            Parts =
            [
                .. content.Parts.Select(static part => new PartJson
                {
                    Kind = NameOf(part.Kind),
                    Name = part.FileName,
                    Size = part.Size,
                    Blake3 = part.Hash.ToString(),
                }),
            ],
        },
        Context.ManifestJson);

    public static bool TryRead(
        ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out ManifestContent? content, [NotNullWhen(false)] out string? error)
    {
        content = null;
        if (!ImageJsonText.TryDeserialize(bytes, Context.ManifestJson, "the manifest", out ManifestJson? json, out error))
            return false;
        if (json.Schema is not (SchemaOfMachines or Schema))
        {
            error = $"the manifest is of schema {json.Schema}; {SchemaOfMachines} and {Schema} are known here";
            return false;
        }

        // Which schema goes with which kind the comparison with the canonical form sees to.
        var kind = ManifestKind.Machine;
        if ((json.Kind is not null && !ImageJsonText.TryReadKind(json.Kind, out kind, out error))
            || !ImageJsonText.TryReadTime(json.Created, "the time of creation", out DateTimeOffset created, out error)
            || !ImageJsonText.TryReadLabels(json.Labels, out SortedDictionary<string, string>? labels, out error)
            || !TryReadParts(json.Parts, out List<ManifestPart>? parts, out error))
            return false;
        content = new ManifestContent
        {
            Name = json.Name,
            Tag = json.Tag,
            Kind = kind,
            Architecture = json.Architecture,
            KernelArguments = json.KernelArguments,
            Created = created,
            Labels = labels,
            Parts = parts,
        };
        return true;
    }

    private static bool TryReadParts(
        List<PartJson> from, [NotNullWhen(true)] out List<ManifestPart>? parts, [NotNullWhen(false)] out string? error)
    {
        parts = null;
        error = null;
        var read = new List<ManifestPart>(Math.Min(from.Count, ImageManifest.PartsMax));
        foreach (PartJson? part in from)
        {
            if (part is null || !TryKind(part.Kind, out ManifestPartKind kind))
            {
                error = "a part is neither kernel nor initramfs nor disk";
                return false;
            }

            if (!BlobHash.TryParse(part.Blake3, out BlobHash hash))
            {
                error = "a part's hash is not 64 lower-case hexadecimal digits";
                return false;
            }
            read.Add(new ManifestPart(kind, part.Name, part.Size, hash));
        }
        parts = read;
        return true;
    }

    private static string NameOf(ManifestPartKind kind) => kind switch
    {
        ManifestPartKind.Kernel => "kernel",
        ManifestPartKind.Initramfs => "initramfs",
        _ => "disk",
    };

    private static bool TryKind(string name, out ManifestPartKind kind)
    {
        kind = name switch { "kernel" => ManifestPartKind.Kernel, "initramfs" => ManifestPartKind.Initramfs, _ => ManifestPartKind.Disk };
        return name is "kernel" or "initramfs" or "disk";
    }

    internal sealed class ManifestJson
    {
        [JsonPropertyName("schema")]
        public required int Schema { get; init; }

        [JsonPropertyName("name")]
        public required string Name { get; init; }

        [JsonPropertyName("tag")]
        public required string Tag { get; init; }

        [JsonPropertyName("kind")]
        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        public string? Kind { get; init; }

        [JsonPropertyName("architecture")]
        public required string Architecture { get; init; }

        [JsonPropertyName("kernelArgs")]
        public required string KernelArguments { get; init; }

        [JsonPropertyName("created")]
        public required string Created { get; init; }

        [JsonPropertyName("labels")]
        public required SortedDictionary<string, string> Labels { get; init; }

        [JsonPropertyName("parts")]
        public required List<PartJson> Parts { get; init; }
    }

    internal sealed class PartJson
    {
        [JsonPropertyName("kind")]
        public required string Kind { get; init; }

        [JsonPropertyName("name")]
        public required string Name { get; init; }

        [JsonPropertyName("size")]
        public required long Size { get; init; }

        [JsonPropertyName("blake3")]
        public required string Blake3 { get; init; }
    }

    [JsonSerializable(typeof(ManifestJson))]
    internal sealed partial class ManifestJsonContext : JsonSerializerContext;
}
