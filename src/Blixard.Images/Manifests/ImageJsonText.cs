using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Blixard.Images.Manifests;

/// <summary>What manifests and the entries of catalogues have in common as JSON. Readers never throw, whatever the bytes.</summary>
internal static class ImageJsonText
{
    private const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss'Z'";

    /// <summary>No member twice, nothing null that must not be, and nothing escaped that need not be.</summary>
    /// <param name="depthMax">How deep objects and lists may nest.</param>
    /// <param name="unmapped">What becomes of members that are not known.</param>
    public static JsonSerializerOptions Options(int depthMax, JsonUnmappedMemberHandling unmapped) => new()
    {
        MaxDepth = depthMax,
        UnmappedMemberHandling = unmapped,
        AllowDuplicateProperties = false,
        RespectNullableAnnotations = true,
        // The texts are printable ASCII, and no browser reads them.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Reads one object.</summary>
    /// <param name="bytes">What came or was stored; who calls has checked its length.</param>
    /// <param name="type">The object's type.</param>
    /// <param name="what">What it is to people, such as "the manifest".</param>
    /// <param name="json">The object, when the result is true.</param>
    /// <param name="error">What is wrong, when the result is false.</param>
    public static bool TryDeserialize<T>(
        ReadOnlySpan<byte> bytes, JsonTypeInfo<T> type, string what, [NotNullWhen(true)] out T? json, [NotNullWhen(false)] out string? error)
        where T : class
    {
        json = null;
        try
        {
            json = JsonSerializer.Deserialize(bytes, type);
            error = json is null ? $"{what} is null" : null;
        }
        catch (JsonException e)
        {
            error = $"{what} cannot be read: {e.Message}";
        }

        return json is not null && error is null;
    }

    /// <summary>Labels by key.</summary>
    public static bool TryReadLabels(
        SortedDictionary<string, string> json, [NotNullWhen(true)] out SortedDictionary<string, string>? labels, [NotNullWhen(false)] out string? error)
    {
        // Annotations of type arguments are not looked at by the serializer.
        error = json.ContainsValue(null!) ? "a label's value is null" : null;
        labels = error is null ? new SortedDictionary<string, string>(json, StringComparer.Ordinal) : null;
        return labels is not null;
    }

    /// <summary>A time in whole seconds of UTC.</summary>
    public static string Write(DateTimeOffset time) => time.UtcDateTime.ToString(TimeFormat, CultureInfo.InvariantCulture);

    /// <summary>Reads a time.</summary>
    public static bool TryReadTime(string text, string what, out DateTimeOffset time, [NotNullWhen(false)] out string? error)
    {
        error = DateTimeOffset.TryParseExact(text, TimeFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time)
            ? null : $"{what} is not of the form 2026-01-31T12:00:00Z";
        return error is null;
    }

    /// <summary>The word of a kind.</summary>
    public static string Write(ManifestKind kind) => kind == ManifestKind.Container ? "container" : "machine";

    /// <summary>Reads the word of a kind.</summary>
    public static bool TryReadKind(string text, out ManifestKind kind, [NotNullWhen(false)] out string? error)
    {
        kind = text == "container" ? ManifestKind.Container : ManifestKind.Machine;
        error = text is "machine" or "container" ? null : "the image is neither a machine's nor a container's";
        return error is null;
    }
}
