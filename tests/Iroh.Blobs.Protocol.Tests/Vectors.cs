using System.Text.Json;
using Iroh.Blobs.Ranges;

namespace Iroh.Blobs.Protocol.Tests;

/// <summary>The golden vectors: bytes captured from iroh; each file says in its own words how it was made.</summary>
internal static class Vectors
{
    public static JsonElement Read(string name)
    {
        using JsonDocument file = JsonDocument.Parse(ReadBytes(name));
        return file.RootElement.Clone();
    }

    public static byte[] ReadBytes(string name) => File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Vectors", name));

    public static string Text(this JsonElement element, string name) => element.GetProperty(name).GetString()!;

    public static byte[] Hex(this JsonElement element, string name) => Convert.FromHexString(element.Text(name));

    /// <summary>Boundaries that are numbers, or strings where a number would lose digits.</summary>
    public static ChunkRanges Ranges(this JsonElement boundaries)
    {
        ulong[] numbers = [.. boundaries.EnumerateArray().Select(item =>
            item.ValueKind == JsonValueKind.String ? ulong.Parse(item.GetString()!, null) : item.GetUInt64())];
        Assert.True(ChunkRanges.TryFromBoundaries(numbers, out ChunkRanges ranges));
        return ranges;
    }

    /// <summary>The content that most vectors are of.</summary>
    public static byte[] Pattern(int length)
    {
        var data = new byte[length];
        for (int i = 0; i < length; i++)
            data[i] = (byte)((7 * i) + (13 * (i >> 8)) + (29 * (i >> 16)));
        return data;
    }
}
