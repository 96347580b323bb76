using System.Text.Json;

namespace Iroh.Docs;

/// <summary>The captured files in Vectors/; each says in its first lines how it was made.</summary>
internal static class Vector
{
    internal static JsonElement Load(string name)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Vectors", name)));
        return document.RootElement.Clone();
    }

    internal static string Text(this JsonElement element, string name) => element.GetProperty(name).GetString()!;

    internal static byte[] Bytes(this JsonElement element, string name) => Convert.FromHexString(element.Text(name));
}
