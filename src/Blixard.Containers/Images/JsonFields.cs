using System.Text.Json;

namespace Blixard.Containers.Images;

/// <summary>Reads members of JSON that others wrote: absent and null are null, another type than expected is an error that says where.</summary>
internal static class JsonFields
{
    // The formats nest about six levels deep; annotations are flat.
    private static readonly JsonDocumentOptions s_options = new() { MaxDepth = 32 };

    public static JsonDocument Parse(byte[] content, string where)
    {
        try
        {
            return JsonDocument.Parse(content, s_options);
        }
        catch (JsonException e)
        {
            throw ContainerImageException.Malformed($"{where} is no valid JSON: {e.Message}", e);
        }
    }

    public static string? Text(JsonElement parent, string name, string where) =>
        TryGet(parent, name, JsonValueKind.String, where) is { } value ? Decode(value, name, where) : null;

    public static string RequiredText(JsonElement parent, string name, string where) =>
        Text(parent, name, where) ?? throw ContainerImageException.Malformed($"{where} has no '{name}'");

    public static long RequiredSize(JsonElement parent, string name, string where) =>
        TryGet(parent, name, JsonValueKind.Number, where) is { } value && value.TryGetInt64(out long size) && size >= 0
            ? size : throw ContainerImageException.Malformed($"{where} has no '{name}' that is a size");

    public static JsonElement? Object(JsonElement parent, string name, string where) => TryGet(parent, name, JsonValueKind.Object, where);

    public static JsonElement RequiredObject(JsonElement parent, string name, string where) =>
        Object(parent, name, where) ?? throw ContainerImageException.Malformed($"{where} has no '{name}'");

    public static IReadOnlyList<JsonElement>? Array(JsonElement parent, string name, string where) =>
        TryGet(parent, name, JsonValueKind.Array, where) is { } array ? [.. array.EnumerateArray()] : null;

    public static IReadOnlyList<string>? Texts(JsonElement parent, string name, string where) =>
        Array(parent, name, where) is { } array
            ? [.. array.Select(item => item.ValueKind == JsonValueKind.String
                ? Decode(item, name, where) : throw ContainerImageException.Malformed($"'{name}' of {where} holds something that is no text"))]
            : null;

    /// <summary>A flat object of texts; of a name that comes twice the last one counts.</summary>
    public static IReadOnlyDictionary<string, string>? TextsByName(JsonElement parent, string name, string where)
    {
        if (Object(parent, name, where) is not { } json)
            return null;
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (JsonProperty property in json.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.String)
                throw ContainerImageException.Malformed($"'{name}' of {where} holds something that is no text");
            texts[Decode(() => property.Name, name, where)] = Decode(property.Value, name, where);
        }

        return texts;
    }

    private static JsonElement? TryGet(JsonElement parent, string name, JsonValueKind kind, string where)
    {
        if (parent.ValueKind != JsonValueKind.Object)
            throw ContainerImageException.Malformed($"{where} is no JSON object");
        if (!parent.TryGetProperty(name, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
            return null;
        return value.ValueKind == kind ? value : throw ContainerImageException.Malformed($"'{name}' of {where} is of the wrong type");
    }

    private static string Decode(JsonElement value, string name, string where) => Decode(() => value.GetString()!, name, where);

    // A text may hold what is no Unicode (half a surrogate pair, broken UTF-8); the reader finds out when it decodes.
    private static string Decode(Func<string> read, string name, string where)
    {
        try
        {
            return read();
        }
        catch (InvalidOperationException e)
        {
            throw ContainerImageException.Malformed($"'{name}' of {where} is no valid text", e);
        }
    }
}
